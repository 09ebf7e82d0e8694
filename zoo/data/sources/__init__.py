"""The data sources: one module each, found by `zoo.data.source`.

A module describes its source in `SOURCE`, a `zoo.data.source.Source`. An installed package adds a source with an entry
point in the group `zoo.data.sources` whose name is the scheme:

    [project.entry-points."zoo.data.sources"]
    mine = "my_package.my_source"
"""
