"""The kinds of answer, a package for each, found by name: classes and values."""
