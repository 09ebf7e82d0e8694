"""Print the tables, or write them into the documents."""

from __future__ import annotations

import sys

from benchmarks.tables.documents import TABLES, documents, filled
from benchmarks.tables.figures import ROOT
from zoo import files

if sys.argv[1:] == ["--write"]:
    for path in documents():
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            files.write_text(path, filled(text))
            print(f"written: {path.relative_to(ROOT)}")
else:
    for name, table in TABLES.items():
        print(f"<!-- table: {name} -->\n\n{table()}\n\n<!-- end of table -->\n")
