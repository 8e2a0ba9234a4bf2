"""Rivals that are libraries: scripts as their users write them, run in their own environments."""
