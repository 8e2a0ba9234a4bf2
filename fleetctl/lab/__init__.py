"""A fleet of real SSH servers on this machine, for trying things out and for tests.

Every host of any inventory on its own loopback address. Needs the extra `lab`.
"""
