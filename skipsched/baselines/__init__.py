"""Baselines: what others do with the same topology, to compare with."""
