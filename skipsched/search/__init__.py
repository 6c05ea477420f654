"""The search: compiled moves on a whole plan, allocation, paths and order at once."""
