"""The reference trainer: a small language model on the Python standard library's sources."""
