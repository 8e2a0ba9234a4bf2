"""The fleet as its owner describes it: tiers, hosts, tags, variables, and how to pick hosts.

Typed and validated once at the door; everything behind it trusts the models. Knows nothing of
connections, playbooks or releases. Start reading at `model`, then `load` and `select`.
"""
