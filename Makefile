# Everything runs in a virtual environment of its own (.venv); Python >= 3.11, git and make suffice.
# PYTHON=python3.12 make test   chooses another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

SEEDS ?= 1000
# Folders the suite of every day leaves something out of (tests/leftout.py).
LEFT_OUT := $(addprefix tests/,bench cli faults inventory plan playbook transport)

.PHONY: help demo test check faults sim mutations fix bench docs lock clean

help:
	@echo "make demo   push a release to 44 lab hosts over SSH and show it"
	@echo "make test   run every check and every test"
	@echo "make check  lint, types, layers and the quick tests (under 2 minutes)"
	@echo "make sim    simulate SEEDS=1000 pushes under every fault, count the faults"
	@echo "make fix    format and mend what can be mended"
	@echo "make faults what the suite leaves out: every shell and server, every write to die at"
	@echo "make mutations  take guards out of the source one at a time: some test must fail (10 minutes)"
	@echo "make bench  time fleetctl against other tools, in one run"
	@echo "make docs   write the generated pages of docs/ anew"
	@echo "make lock   renew the locked dependencies"

$(VENV)/.run: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[lab,console]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/fleetctl lab demo

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n auto --dist worksteal -m "not slow"

test: $(VENV)/.dev
	tests/install-servers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n auto --dist worksteal || $(BIN)/python -m tests.again $$?

faults: $(VENV)/.dev
	tests/install-servers
	$(BIN)/pytest -n auto --dist worksteal --exhaustive $(LEFT_OUT)

sim: $(VENV)/.dev
	$(BIN)/python -m tests.sim --seeds $(SEEDS) --processes 2

mutations: $(VENV)/.dev
	$(BIN)/python -m tests.mutations

fix: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	$(BIN)/python -m bench.push

docs: $(VENV)/.dev
	$(BIN)/python -m docs.generate

lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet '.[dev]'
	$(VENV)-lock/bin/python -m pip freeze --exclude fleetctl > requirements.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
