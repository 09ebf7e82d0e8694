"""The data sources: one module each, found by `zoo.data.source`.

A module says all that zoo knows of its source in `SOURCE`, a `zoo.data.source.Source`. An installed package adds a
source by an entry point of the group `zoo.data.sources` whose name is the scheme:

    [project.entry-points."zoo.data.sources"]
    mine = "my_package.my_source"
"""
