"""The SavedModel, and the proof that TF Serving loads it and answers."""
