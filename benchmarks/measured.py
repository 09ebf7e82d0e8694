"""What the scripts here share: `zoo` in a process of its own, and a result that says how it was made."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from zoo import files, provenance, schema

RESULTS = Path(__file__).parent.parent / "results"


def zoo(*arguments: object) -> Any:
    """The JSON document that `zoo` with these arguments prints; what it says of its progress passes through."""
    command = [sys.executable, "-m", "zoo", *map(str, arguments)]
    print("$ zoo", *map(str, arguments), file=sys.stderr, flush=True)
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def record(name: str, figures: Any, seed: int = 0) -> None:
    """Write `results/NAME.json`: the figures, with command, seed, versions, machine and time."""
    made = dataclasses.replace(provenance.here(seed), finished=provenance.now())
    files.write_json(RESULTS / f"{name}.json", {"provenance": schema.plain(made), "figures": figures})
    print(json.dumps(figures, indent=2))
