"""The authored recipe: phases of steps, batches and gates, read from YAML and validated.

Each kind of step is one file in `steps`, each kind of gate one file in `gates`. A kind turns what
the author wrote into the few operations of `fleetctl.playbook.operations`; nothing further down
(plan, rollout, transport) knows kinds. Start reading at `model`, then `load`.
"""
