"""Training: strategy, loop, optimizer, checkpoints."""
