"""Training and fine-tuning: devices, loop, optimizer, checkpoints."""
