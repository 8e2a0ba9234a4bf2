"""What every room shares: errors and exit codes, outcomes, time, ids, names. Pure; knows nothing.

Start reading at `errors` (how trouble is told) and `outcome` (how a host's work can end).
"""
