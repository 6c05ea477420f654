"""The benchmark: methods x instances x seeds x time limits, every run in a process of its own and checked."""
