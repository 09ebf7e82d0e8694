"""The serving: answers, measurements and reports from an artifact."""
