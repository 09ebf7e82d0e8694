"""The tables of README.md and docs/, generated from results/*.json, so that nobody types their figures.

`documents` finds the place of each table, `exported_files`, `accuracies` and `methods` make the tables, and `figures`
holds what they share. Two comments in a document, `<!-- table: NAME -->` and `<!-- end of table -->`, mark the place of
a table. `tests/docs` fails if a document differs from the figures.

usage: python -m benchmarks.tables [--write]      prints every table; with --write, puts them into the documents
"""
