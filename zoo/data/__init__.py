"""Data: sources, labeled images, splits, and the batches that a network is trained and evaluated on."""
