"""Releases: artifacts under immutable ids, and the pin that says which one a tier should run.

A door to the world beside the journal: it keeps files here and knows no host.
"""
