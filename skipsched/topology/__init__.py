"""What the user described: nodes, network, workload and rules, exact and checked."""
