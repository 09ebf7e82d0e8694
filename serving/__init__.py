"""The serving wing: predicts, measures, verifies and publishes an artifact, and never looks at its run."""
