"""The Makefile names files that exist, and CI runs targets of it, some of them weekly."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))


def recipe(target: str) -> str:
    """The lines of a target's recipe."""
    found = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    return found[1]


def test_tests_that_the_makefile_names_exist() -> None:
    named = re.findall(r"tests/[\w/]+\.py", MAKEFILE)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_lowest_versions_of_dependencies_and_extras_are_tested() -> None:
    program = re.search(r"-c '(.*?)' >", recipe("$(LOWEST)/ready"), re.DOTALL)
    assert program
    done = subprocess.run([sys.executable, "-c", program[1]], capture_output=True, text=True, check=True, cwd=ROOT)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for_users = [bound for name in extras.keys() - {"dev", "docs", "gpu"} for bound in extras[name]]
    wanted = [bound.replace(">=", "==") for bound in (*project["dependencies"], *for_users)]
    assert sorted(done.stdout.splitlines()) == sorted(wanted)


def test_ci_runs_the_tests_the_documentation_and_the_lowest_versions_and_all_of_them_weekly() -> None:
    runs = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
    assert sorted(runs) == ["make docs", "make test", "make test-lowest"]
    for run in runs:
        recipe(run.removeprefix("make "))
    (when,) = WORKFLOW[True]["schedule"]  # YAML 1.1 reads the key `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["cron"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tested[0]}"
