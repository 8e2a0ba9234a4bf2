"""Benchmarks: fleetctl against named tools, as ratios in one run."""
