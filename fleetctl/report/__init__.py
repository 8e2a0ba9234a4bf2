"""What a run's journal tells afterwards: reports, comparisons, history, messages to people.

Reads the journal only. Nothing here is on the way of a push.
"""
