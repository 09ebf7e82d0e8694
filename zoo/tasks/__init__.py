"""The tasks, a package for each, found by name.

Some are kinds of answer: classes, values, transcript, and several of them. The others are methods of pretraining:
simclr, mae and mlm.
"""
