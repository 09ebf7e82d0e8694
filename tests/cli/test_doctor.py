"""`zoo doctor` in a real process, with packages that are missing, broken or fatal in front of the installed ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests.test_plugins import bring
from zoo import container, installation


def stub(folder: Path, module: str, text: str = "") -> None:
    """A module that is found before the installed one."""
    (folder / f"{module}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A folder with empty stubs of the heavy packages, so that a report takes no time."""
    stub(tmp_path, "tensorflow", "class config:\n    def list_physical_devices(kind):\n        return []\n")
    stub(tmp_path, "keras", "class config:\n    def backend():\n        return 'tensorflow'\n")
    stub(tmp_path, "onnxruntime", "def get_available_providers():\n    return ['Stub']\n")
    for module in ("sklearn", "matplotlib", "h5py", "huggingface_hub", "onnx", "tf2onnx", "tensorboard"):
        stub(tmp_path, module)
    for module in ("tensorflow_datasets", "s3fs", "gcsfs"):
        stub(tmp_path, module)
    (tmp_path / "tensorflow_serving").mkdir()
    (tmp_path / "tensorflow_serving" / "__init__.py").write_text("")
    stub(tmp_path / "tensorflow_serving", "apis")
    return tmp_path


def run(stubs: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zoo", "doctor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(stubs)} | environment,
    )


def report(stubs: Path, status: int, **environment: str) -> dict[str, Any]:
    done = run(stubs, "--json", **environment)
    assert done.returncode == status, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    assert found["ready"] == (status == 0)
    return found


def lacking(found: dict[str, Any]) -> dict[str, list[str]]:
    return {verb["verb"]: verb["missing"] for verb in found["verbs"] if not verb["ready"]}


def test_where_everything_is_there_the_status_is_0(stubs: Path) -> None:
    found = report(stubs, 0)
    assert lacking(found) == {}
    assert found["machine"]["cpus"] >= 1
    assert found["runtimes"]["onnx"] == {"ready": True, "devices": ["Stub"]}
    assert found["packages"]["numpy"]["version"]


def test_a_missing_tensorflow_is_named_with_what_mends_it(stubs: Path) -> None:
    stub(stubs, "tensorflow", "raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    found = report(stubs, 1)
    assert set(lacking(found)) == {
        "pull --file", "pull --file --from keras", "pull, from the hub", "pretrain", "train", "train --data tfds:…",
        "tune", "scale", "data serve", "evaluate RUN", "evaluate ARTIFACT of SavedModel", "export",
        "verify, predict, benchmark of SavedModel",
    }  # fmt: skip
    assert "No module named" in found["packages"]["tensorflow"]["error"]
    (train,) = (verb for verb in found["verbs"] if verb["verb"] == "train")
    assert "'tensorflow>=" in train["mend"]
    done = run(stubs)
    assert done.returncode == 1
    assert len([line for line in done.stderr.splitlines() if line.startswith("zoo: ")]) == 1
    assert "Traceback" not in done.stderr
    assert "lacks tensorflow: pip install" in done.stdout
    stub(stubs, "optuna", "raise ModuleNotFoundError(\"No module named 'optuna'\")")
    mend = report(stubs, 1)["mend"]
    assert "'tensorflow>=" in mend
    assert "'optuna" in mend
    assert mend in run(stubs).stderr


@pytest.mark.parametrize(
    "text",
    [
        "raise OSError('libonnx.so: wrong ELF class')",
        "this is no Python",
        "import os; os.abort()",
        "raise SystemExit(3)",
    ],
)
def test_a_broken_or_fatal_import_is_a_finding_and_the_others_go_on(stubs: Path, text: str) -> None:
    stub(stubs, "onnxruntime", text)
    found = report(stubs, 1)
    assert set(lacking(found)) == {
        "scale", "export", "publish", "evaluate ARTIFACT of ONNX", "verify, predict, benchmark of ONNX",
    }  # fmt: skip
    assert found["packages"]["onnxruntime"]["error"]
    assert not found["packages"]["tensorflow"]["error"]


def test_what_an_installed_package_adds_and_cannot_be_loaded_is_a_finding(stubs: Path) -> None:
    assert report(stubs, 0)["plugins"] == {}
    stub(stubs, "broken_family", "import nothing_of_this_name")
    bring(stubs, "zoo.models", {"broken": "broken_family"})
    found = report(stubs, 1)
    assert lacking(found) == {}
    (error,) = found["plugins"].values()
    assert found["plugins"] == {"zoo.models": error}
    assert error.startswith("an installed package adds broken_family to zoo.models, and it cannot be imported (Module")
    done = run(stubs)
    assert "plugins of zoo.models" in done.stdout
    assert done.stderr.splitlines()[-1] == f"zoo: {error}"


def test_a_file_of_the_current_folder_is_no_library(
    stubs: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    stub(here, "pyarrow", "raise ImportError('of the current folder')")
    stub(here, "onnx", f"open({str(here / 'executed')!r}, 'w').close()")
    monkeypatch.chdir(here)
    found = installation.import_all(["onnx", "pyarrow"])
    assert "current folder" not in str(found)
    assert not (here / "executed").exists()


def test_a_table_for_people_holds_no_python(stubs: Path) -> None:
    done = run(stubs)
    assert "machine system" in done.stdout
    assert "{" not in done.stdout


def test_what_is_optional_does_not_change_the_status(stubs: Path) -> None:
    stub(stubs, "huggingface_hub", "raise ImportError('none')")
    assert lacking(report(stubs, 0)) == {"pull, from the hub": ["huggingface_hub"]}


def test_without_what_the_report_itself_uses_there_is_a_report(stubs: Path) -> None:
    for module in ("numpy", "psutil", "pydantic"):
        stub(stubs, module, "raise ImportError('broken')")
    found = report(stubs, 1)
    assert "{" not in run(stubs).stdout
    assert set(lacking(found)) == {need.use for need in installation.NEEDS}
    assert "broken" in found["machine"]["error"]


def test_another_backend_of_keras_is_no_matter_for_pip(stubs: Path) -> None:
    stub(stubs, "keras", "class config:\n    def backend():\n        return 'jax'\n")
    found = report(stubs, 1)
    assert {verb["mend"] for verb in found["verbs"] if not verb["ready"]} == {"set KERAS_BACKEND=tensorflow"}


def test_settings_are_told_and_secrets_are_not(stubs: Path, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    found = report(stubs, 0, KERAS_HOME=str(tmp_path), OMP_NUM_THREADS="3", HF_TOKEN="hidden", TF_API_KEY="hidden")
    assert found["keras_json"] == {"floatx": "float16"}
    assert found["environment"]["OMP_NUM_THREADS"] == "3"
    assert "KERAS_BACKEND" not in found["environment"], "the command line sets it itself"
    assert "hidden" not in json.dumps(found)
    (tmp_path / "keras.json").write_text("{")
    assert "JSONDecodeError" in report(stubs, 0, KERAS_HOME=str(tmp_path))["keras_json"]["error"]


def test_quota_of_both_versions_of_cgroups(tmp_path: Path) -> None:
    assert installation.quota(tmp_path) == {"cpus": None, "memory_gib": None}
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("150000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert installation.quota(tmp_path) == {"cpus": 1.5, "memory_gib": None}
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text(f"{2**31}\n")
    assert installation.quota(tmp_path) == {"cpus": None, "memory_gib": 2.0}


def test_the_smallest_limit_among_a_group_and_those_above_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, membership = tmp_path / "cgroup", tmp_path / "membership"
    own = root / "user.slice/job_1/step"
    own.mkdir(parents=True)
    membership.write_text("1:name=systemd:/\n0::/user.slice/job_1/step\n")
    assert (container.cpu_limit(root, membership), container.memory_limit(root, membership)) == (None, None)
    for folder, cpus, memory in (
        (own, "max", "max"),
        (own.parent, "300000", 2**31),
        (own.parent.parent, "150000", 2**33),
    ):
        (folder / "cpu.max").write_text(f"{cpus} 100000\n")
        (folder / "memory.max").write_text(f"{memory}\n")
    assert (container.cpu_limit(root, membership), container.memory_limit(root, membership)) == (1.5, 2**31)
    (own.parent / "memory.stat").write_text(f"anon {2**30}\nfile {2**32}\nshmem {2**20}\n")
    for of_machine, available in ((2**40, 2**30 - 2**20), (2**20, 2**20)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda left=of_machine: SimpleNamespace(available=left))
        assert container.available_memory(root, membership) == available
    membership.write_text("0::/../../host\n")
    (root / "memory.max").write_text(f"{2**32}\n")
    assert container.memory_limit(root, membership) == 2**32, "only its own group is visible in a namespace"


def test_each_verb_has_a_row() -> None:
    from zoo.cli import VERBS

    told = {word for need in installation.NEEDS for word in need.use.replace(",", " ").split()}
    assert set(VERBS) - {"doctor"} <= told
    assert {module for need in installation.NEEDS for module in need.modules} == set(installation.DISTRIBUTIONS)
