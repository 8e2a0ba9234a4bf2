"""fleetctl: pushes releases to many hosts over SSH and accounts for every one of them."""

__version__ = "0.1.0"
