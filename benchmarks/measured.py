"""Functions for all benchmark scripts: run `zoo` in a process of its own, and record results with their provenance."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from zoo import artifact, files, provenance, run, schema

RESULTS = Path(__file__).parent.parent / "results"


def zoo(*arguments: object) -> Any:
    """The JSON document that `zoo` prints with these arguments; its progress messages pass through."""
    command = [sys.executable, "-m", "zoo", *map(str, arguments)]
    print("$ zoo", *map(str, arguments), file=sys.stderr, flush=True)
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def made(folder: Path, *command: object) -> None:
    """Make a run or an artifact with `zoo`, unless the same command has made it; continue an unfinished run.

    Raises:
        SystemExit: another command made the folder.
    """
    if not folder.exists():
        zoo(*command, "--out", folder)
        return
    is_artifact = (folder / artifact.MANIFEST).exists()
    maker = artifact.read(folder).export if is_artifact else run.read(folder).provenance
    if _settings(maker.command) != _settings(provenance.typed(["zoo", *map(str, command)])):
        raise SystemExit(f"{folder} was made by another command ({maker.command}): name another folder as SCRATCH")
    if not maker.finished:
        zoo("train", "--resume", folder)


def _settings(command: str) -> list[str]:
    """Return the words of a command without `--out FOLDER` and `--json`, which change nothing in the folder."""
    words = [word for word in shlex.split(command) if word != "--json"]
    place = words.index("--out") if "--out" in words else len(words)
    return words[:place] + words[place + 2 :]


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of a command: its status, seconds, and the most memory that it and its children held, in bytes."""

    status: int
    seconds: float
    peak_memory: int


def cost(*arguments: object) -> tuple[Any, Cost]:
    """Do the same as `zoo`, and also return the cost; the document is None if the command failed."""
    command = [sys.executable, "-m", "zoo", *map(str, arguments)]
    print("$ zoo", *map(str, arguments), file=sys.stderr, flush=True)
    with tempfile.TemporaryFile("w+") as answer:
        spent = watched([*command, "--json"], answer)
        answer.seek(0)
        return json.load(answer) if spent.status == 0 else None, spent


def watched(command: list[str], answer: IO[str] | None = None) -> Cost:
    """Run a command and measure it; its standard output goes to the file `answer`.

    Memory is read from counters ten times a second, because reading the PSS of a few gigabytes would stop a process for
    a tenth of a second.
    """
    import psutil

    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=answer)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
            peak = max(peak, _held([process.pid, *(child.pid for child in children)]))
        time.sleep(0.1)
    return Cost(process.returncode, time.perf_counter() - started, peak)


def _held(processes: list[int]) -> int:
    """Bytes that processes hold: the private memory of each, and once the memory that they share, such as libraries."""
    own, shared = 0, 0
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
            kilobytes = {key: int(status.get(key, "0 kB").split()[0]) for key in ("RssAnon", "RssFile")}
            own, shared = own + kilobytes["RssAnon"] * 1024, max(shared, kilobytes["RssFile"] * 1024)
    return own + shared


def recorded(name: str) -> dict[str, Any]:
    """The figures of `results/NAME.json`, empty if there is no such file; for scripts that update some of them."""
    path = RESULTS / f"{name}.json"
    return dict(json.loads(path.read_text())["figures"]) if path.exists() else {}


def portable(command: str) -> str:
    """Return a command with the last part only of its absolute paths: the rest means nothing on other machines."""
    return re.sub(r"(^|[\s:=])/(?!/)(?:[^/\s]*/)*([^/\s]+)", r"\1\2", command)


def record(name: str, figures: Any, seed: int = 0) -> None:
    """Write `results/NAME.json`: the figures, with command, seed, versions, machine and time."""
    here = provenance.here(seed)
    made = dataclasses.replace(here, command=portable(here.command), finished=provenance.now())
    files.write_json(RESULTS / f"{name}.json", {"provenance": schema.to_dict(made), "figures": figures})
    print(json.dumps(figures, indent=2))
