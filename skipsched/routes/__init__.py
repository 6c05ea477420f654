"""Routes: who holds which stage, and which path every microbatch takes.

First found by construction; where that finds none, decided exactly. One microbatch at a time always runs, so
a topology is infeasible only through its allocation, its stage sets and node loads, or its missing links: all
of it is settled here, without any scheduling.
"""
