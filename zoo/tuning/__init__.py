"""Searching a recipe: the space, its trials in processes of their own, and the study that keeps them."""
