"""A small web page over the journal: the fleet, the running push, daemon pools, runs.

Reads the journal and what overseers said last. What it changes, it changes by starting commands of
this very program.
"""
