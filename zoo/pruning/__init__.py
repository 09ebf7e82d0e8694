"""Removing channels from networks: which belong together, which matter least, and the weights of those that stay."""
