"""The kinds of answer, a package for each, found by name: classes, values, transcript, and several of them."""
