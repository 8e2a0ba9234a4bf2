"""Compiling a playbook, a fleet and releases into a Plan: frozen, digested, printable.

What is run is what was shown. A plan holds intents and preconditions; facts of a host are looked
at again when it is worked on. Pure. Start reading at `model`, then `compile`.
"""
