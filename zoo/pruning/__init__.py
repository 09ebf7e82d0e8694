"""Removing channels from networks: which channels belong together, which matter least, and the weights that remain."""
