"""The kinds of input, a package for each, found by name: its record, its preprocessing in numpy and in TensorFlow."""
