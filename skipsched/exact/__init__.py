"""The exact model: what CP-SAT decides about paths and order, given an allocation."""
