"""The families: each is a folder with its record, `FAMILY`, and its builder, `network.py`.

They are found by their names, see `zoo.registry`: a new folder is a new family.
"""
