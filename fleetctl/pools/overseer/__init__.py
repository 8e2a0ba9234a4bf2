"""The overseer: one small process a host that keeps every instance's daemons, and lets them sleep.

This package is shipped to hosts by itself. It imports nothing but itself and Python's standard
library as of 3.9, and of that little: what is imported is memory on every host.
"""
