"""Data: sources, examples, splits, and the batches that a network is trained and evaluated on."""
