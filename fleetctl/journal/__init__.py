"""The durable record of runs, in SQLite: what is not in it did not happen.

Stores records as bytes it does not interpret. Start reading at `store`.
"""
