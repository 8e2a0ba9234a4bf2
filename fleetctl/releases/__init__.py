"""Releases on this machine: made from a folder, archive or commit, kept, and pinned to tiers.

Knows no hosts: how a release gets onto one is `fleetctl.playbook.steps.deploy`. Start reading at
`store`.
"""
