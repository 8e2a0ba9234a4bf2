"""The daemon pools of all instances on a host, and the program that keeps them there."""
