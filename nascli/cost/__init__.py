"""What a choice costs: meters that measure blocks, cost models over architectures, and feasible sets."""
