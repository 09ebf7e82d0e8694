"""The export: from a run to an artifact that is proven."""
