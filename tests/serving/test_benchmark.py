"""`zoo benchmark`: files take turns, the figures are what they claim to be, and impossible requests are refused."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import zoo
from tests.conftest import Answer
from tests.serving.handmade import ONNX, SHAPE, make_artifact, python, sign, write_saved_model_stub
from zoo import artifact, formats, provenance, turns
from zoo.errors import Refused, ZooError
from zoo.formats import Compute
from zoo.input import Arrays, kind_of
from zoo.provenance import usable_cpus
from zoo.serving import benchmark as measuring
from zoo.serving import cold_start, latency, table
from zoo.serving.benchmark import Row, benchmark
from zoo.serving.measuring_process import measurements
from zoo.turns import SESSIONS

Recorder = Callable[[int], Compute]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], list[tuple[int, int, str]]]:
    """The rows of two artifacts at two batch sizes on one thread, and the messages printed meanwhile."""
    folder = tmp_path_factory.mktemp("artifacts")
    artifacts = [make_artifact(folder / "first"), make_artifact(folder / "second", seed=1)]
    told: list[tuple[int, int, str]] = []
    found = benchmark(artifacts, batches=[1, 4], threads=[1], seconds=0.05, progress=lambda *step: told.append(step))
    return found, told


def test_there_is_a_row_for_each(rows: tuple[list[Row], list[tuple[int, int, str]]]) -> None:
    found, told = rows
    names = [(Path(row.artifact).name, row.runtime, row.batch, row.threads) for row in found]
    assert names == [
        ("first", "onnx", 1, 1), ("second", "onnx", 1, 1), ("first", "onnx", 4, 1), ("second", "onnx", 4, 1),
    ]  # fmt: skip
    done, totals, _ = zip(*told, strict=True)
    steps = 1 + 2 * (2 + SESSIONS)
    assert set(totals) == {steps}
    assert list(done) == sorted(done)
    assert done[-1] == steps


def test_the_figures_belong_together(rows: tuple[list[Row], list[tuple[int, int, str]]]) -> None:
    for row in rows[0]:
        assert row.runs >= SESSIONS
        assert 0 < row.median_low_ms <= row.p50_ms <= row.median_high_ms
        assert row.p50_ms <= row.p90_ms <= row.p99_ms
        assert row.load_ms < row.first_answer_ms
        assert 10 < row.peak_memory_mib < 2000
        assert row.harness_us < 1e3 * row.p50_ms
        assert row.ratio_low <= row.ratio <= row.ratio_high
        stored = artifact.read(Path(row.artifact))
        assert row.file_bytes == (Path(row.artifact) / ONNX).stat().st_size
        assert (row.parameters, row.multiply_adds) == (stored.model.parameters, stored.model.multiply_adds)
        assert (row.metric, row.score, row.score_low, row.score_high) == ("accuracy", 0.95, 0.76, 0.99)
        assert row.test_examples == 20
    first, second = rows[0][:2]
    assert (first.ratio, first.ratio_low, first.ratio_high) == (1, 1, 1)
    assert second.ratio == pytest.approx(second.p50_ms / first.p50_ms)


def recorder(turns: list[int]) -> Recorder:
    def made(name: int) -> Compute:
        def runner(inputs: Arrays) -> Arrays:
            turns.append(name)
            return {}

        return runner

    return made


def test_runners_take_turns_in_an_order_that_is_shuffled_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def order(seed: int) -> list[tuple[int, ...]]:
        turns: list[int] = []
        runners = [recorder(turns)(name) for name in range(3)]
        monkeypatch.setattr(latency, "MOST_ROUNDS", 6)
        taken = latency.measure(runners, [{}] * 3, 3600, np.random.default_rng(seed))
        assert taken.shape == (3, 6)
        assert turns[: 3 * latency.WARM_UP] == [0] * latency.WARM_UP + [1] * latency.WARM_UP + [2] * latency.WARM_UP
        measured = turns[3 * latency.WARM_UP :]
        together = latency.SETTLE + 1
        assert all(len(set(measured[at : at + together])) == 1 for at in range(0, len(measured), together))
        timed = measured[latency.SETTLE :: together]
        return [tuple(timed[start : start + 3]) for start in range(0, len(timed), 3)]

    rounds = order(0)
    assert all(sorted(turn) == [0, 1, 2] for turn in rounds)
    assert len(set(rounds)) > 1
    assert rounds == order(0)
    assert rounds != order(1)


def test_a_file_is_not_certainly_faster_than_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second session of a file takes 1.2 times as long as the others, whichever copy it is."""
    opened: list[str] = []
    now = 0.0

    def clock() -> float:
        return now

    def open_runner(folder: Path, runtime: str, threads: int) -> Compute:
        opened.append(folder.name)
        milliseconds = 1.0 if len(opened) % 2 else 1.2

        def runner(inputs: Arrays) -> Arrays:
            nonlocal now
            now += milliseconds / 1e3
            return {}

        return runner

    artifacts = [make_artifact(tmp_path / name) for name in ("file", "copy")]
    monkeypatch.setattr(latency, "open_runner", open_runner)
    monkeypatch.setattr(latency, "overhead", lambda: 0.0)
    monkeypatch.setattr(turns, "time", types.SimpleNamespace(perf_counter=clock))
    monkeypatch.setattr(measuring, "measurements", lambda module, request: latency.latencies(request))
    monkeypatch.setattr(measuring, "_cost", lambda *arguments: measuring._Cost(1.0, 1.0, 1.0))
    first, second = benchmark(artifacts, batches=[1], threads=[1], seconds=1.0)
    assert opened == ["file", "copy", "copy", "file", "file", "copy", "copy", "file", "file", "copy"]
    assert second.ratio_low <= 1 <= second.ratio_high
    assert first.median_low_ms == second.median_low_ms == pytest.approx(1.0)
    assert first.median_high_ms == second.median_high_ms == pytest.approx(1.2)
    # Each of the two runs once for three untimed calls, and takes its part of two seconds.
    assert 2 * first.runs * 4 * 1.1e-3 == pytest.approx(2.0, rel=0.1)


def test_the_disk_counts_for_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_artifact(tmp_path / "both", ("onnx", "saved_model"))
    write_saved_model_stub(folder)
    sign(folder)
    loaded: list[tuple[str, int]] = []

    def cost(contender: measuring._Contender, batch: int, threads: int, seed: int) -> measuring._Cost:
        loaded.append((contender.row.name, batch))
        return measuring._Cost(float(len(loaded)), 1.0, 1.0)

    def measured(module: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        assert len(loaded) == 6
        for _ in range(SESSIONS):
            for batch in request["batches"]:
                yield {"batch": batch, "latencies": [[1.0, 1.0], [2.0, 2.0]], "harness": 0.0}

    monkeypatch.setattr(measuring, "_cost", cost)
    monkeypatch.setattr(measuring, "measurements", measured)
    rows = benchmark([folder], batches=[1, 4], threads=[1], seconds=1.0)
    each = [("onnx", 1), ("saved_model", 1)]
    assert loaded == [*each, *each, ("onnx", 4), ("saved_model", 4)]
    assert [row.load_ms for row in rows] == [3, 4, 5, 6]


def test_the_drawing_of_inputs_is_not_a_part_of_the_first_answer(
    onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(preprocessing: Any, count: int, generator: np.random.Generator) -> Arrays:
        time.sleep(3)
        return {"image": np.zeros((count, *SHAPE), np.uint8)}

    client = kind_of(artifact.read(onnx_artifact).model.preprocessing).client
    monkeypatch.setattr(client, "random", slowly)
    monkeypatch.setattr(measuring, "measurements", lambda module, request: cold_start.probe(request))
    (contender,) = measuring._contenders([onnx_artifact], None, lambda line: None)
    formats.import_library(contender.row)
    cost = measuring._cost(contender, 1, 1, 0)
    assert cost.load_ms < cost.first_answer_ms < 3000


def test_measuring_ends_after_enough_rounds_however_long_it_may_take() -> None:
    taken = latency.measure([lambda inputs: {}], [{}], 3600, np.random.default_rng(0))
    assert taken.shape == (1, latency.MOST_ROUNDS)


def test_nothing_but_the_answer_lies_between_two_readings_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's clock moves by one tick when it is read, and by five when the slow runner answers."""
    now = 0.0

    def clock(ticks: int = 1) -> float:
        nonlocal now
        now += ticks
        return now

    def slow(inputs: Arrays) -> Arrays:
        clock(5)
        return {}

    monkeypatch.setattr(turns, "time", types.SimpleNamespace(perf_counter=clock))
    taken = latency.measure([lambda inputs: {}, slow], [{}] * 2, 1000.0, np.random.default_rng(0))
    assert set(taken[0]) == {1.0}
    assert set(taken[1]) == {6.0}
    assert latency.overhead() == 1.0


def test_inputs_are_of_the_model_and_the_seed(onnx_artifact: Path) -> None:
    inputs = latency.random_inputs(onnx_artifact, 50, seed=3)
    assert list(inputs) == ["image"]
    assert (inputs["image"].dtype, inputs["image"].shape) == (np.uint8, (50, *SHAPE))
    assert (inputs["image"].min(), inputs["image"].max()) == (0, 255)
    np.testing.assert_array_equal(inputs["image"], latency.random_inputs(onnx_artifact, 50, seed=3)["image"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batches": [0]}, "batches 0: a number from 1 to 1024 is needed"),
        ({"batches": [1, 1025]}, "batches 1025: a number from 1 to 1024"),
        ({"batches": []}, "no batches"),
        ({"batches": [1.5]}, "batches 1.5 is not a whole number"),
        ({"threads": [0]}, "threads 0: a number from 1 to"),
        (
            {"threads": [usable_cpus() + 1]},
            f"threads {usable_cpus() + 1}: a number from 1 to {usable_cpus()}",
        ),
        ({"seconds": 0.0}, "--seconds 0 is out of range"),
        ({"seconds": float("nan")}, "--seconds nan"),
        ({"seconds": float("inf")}, "--seconds inf"),
        ({"runtimes": ["onxx"]}, "did you mean 'onnx'"),
        ({"runtimes": ["onnx", "saved_model"]}, "has no saved_model, only onnx: measure it with --runtime onnx"),
    ],
)
def test_what_cannot_be_measured_is_a_wrong_request(onnx_artifact: Path, wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ZooError, match=words) as refused:
        benchmark([onnx_artifact], **wrong)  # type: ignore[arg-type]
    assert refused.value.exit_status == 2
    assert "\n" not in str(refused.value)


def test_nothing_to_measure_is_a_wrong_request() -> None:
    with pytest.raises(ZooError, match="nothing to measure"):
        benchmark([])


def test_a_file_of_an_unknown_score_is_refused(onnx_artifact: Path) -> None:
    path = onnx_artifact / ONNX
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Refused, match=r"onnx/model\.onnx is not the manifest's, so its score is unknown"):
        benchmark([onnx_artifact])
    path.unlink()
    with pytest.raises(Refused, match="is not the manifest's"):
        benchmark([onnx_artifact])


def test_data_beside_the_network_must_be_the_manifests_too(onnx_artifact: Path) -> None:
    (onnx_artifact / "onnx" / "model.onnx.data").write_bytes(b"weights from elsewhere")
    with pytest.raises(Refused, match=r"model\.onnx\.data is not the manifest's"):
        benchmark([onnx_artifact])


def test_files_of_the_other_runtime_are_left_alone(both_artifact: Path) -> None:
    (both_artifact / "saved_model" / "1" / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(Refused, match=r"saved_model\.pb is not the manifest's"):
        benchmark([both_artifact], batches=[1], threads=[1], seconds=0.01)
    (row,) = benchmark([both_artifact], batches=[1], threads=[1], runtimes=["onnx"], seconds=0.01)
    assert row.runtime == "onnx"


def test_a_score_that_was_not_measured_is_none(onnx_artifact: Path) -> None:
    sign(onnx_artifact, score={})
    (row,) = benchmark([onnx_artifact], batches=[1], threads=[1], seconds=0.01)
    assert row.metric is row.score is row.score_low is row.score_high is row.test_examples is None
    assert "not measured" in _printed([row])


def test_what_a_measuring_process_refuses_is_passed_on(onnx_artifact: Path) -> None:
    (onnx_artifact / ONNX).write_bytes(b"no protobuf, but signed")
    sign(onnx_artifact)
    with pytest.raises(Refused, match="cannot be loaded"):
        benchmark([onnx_artifact], batches=[1], threads=[1], seconds=0.01)


def test_a_measuring_process_that_dies_is_named() -> None:
    with pytest.raises(ZooError, match=r"ended with status 1 .*No module named zoo\.serving\.nothing"):
        next(measurements("zoo.serving.nothing", {}))


def test_what_a_library_prints_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chatty.py").write_text(
        "from zoo.serving.measuring_process import serve\n"
        "def measure(request):\n    print('hello')\n    yield request\n"
        "if __name__ == '__main__':\n    serve(measure)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert list(measurements("chatty", {"answer": 42})) == [{"answer": 42}]


def test_both_runtimes_take_turns(both_artifact: Path) -> None:
    found = benchmark([both_artifact], batches=[2], threads=[1], seconds=0.1)
    assert [row.runtime for row in found] == ["onnx", "saved_model"]
    assert found[0].runs == found[1].runs
    base = both_artifact / "saved_model"
    assert found[1].file_bytes == sum(path.stat().st_size for path in base.rglob("*") if path.is_file())
    assert found[1].peak_memory_mib > found[0].peak_memory_mib


_BALLAST = """
import sys
from pathlib import Path
import numpy as np
from zoo.serving.measuring_process import measurements
from zoo.turns import SESSIONS
ballast = np.ones(60_000_000)
answer = next(measurements("zoo.serving.cold_start", {
    "artifact": sys.argv[1], "runtime": "onnx", "batch": 1, "threads": 1, "seed": 0}))
print(answer["peak_memory_mib"] * 2**20 < ballast.nbytes)
"""


def test_memory_is_measured_where_the_status_states_no_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t  1000 kB\n")
    for status in (tmp_path / "status", tmp_path / "none"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "platform", "linux")
            in_kib = cold_start.peak_memory(status)
            patch.setattr(sys, "platform", "darwin")
            assert in_kib == pytest.approx(1024 * cold_start.peak_memory(status), rel=0.1)
    assert 2**20 < cold_start.peak_memory() < 2**40


def test_memory_of_the_process_that_asked_is_not_counted(onnx_artifact: Path) -> None:
    done = python(_BALLAST, onnx_artifact)
    assert done.stdout == "True\n", done.stderr


def _printed(rows: list[Row], width: int = 120) -> str:
    console = Console(width=width, file=None, record=True, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(*table.tables(rows), sep="\n")
    return capture.get()


@pytest.mark.parametrize("width", [table.NARROWEST, 130])
def test_no_figure_of_the_table_is_cut(rows: tuple[list[Row], list[tuple[int, int, str]]], width: int) -> None:
    found = [
        dataclasses.replace(
            row,
            artifact="artifacts/resnet-small-digits",
            runtime="saved_model",
            p50_ms=1234.5,
            median_low_ms=1200.1,
            median_high_ms=1300.9,
            p90_ms=1500.0,
            p99_ms=2000.0,
            runs=10_000,
            examples_per_second=12345.6,
            load_ms=1234.5,
            first_answer_ms=4321.0,
            peak_memory_mib=1024.0,
            batch=1024,
        )
        for row in rows[0]
    ]
    lines = _printed(found, width).splitlines()
    assert max(map(len, lines)) <= width
    line = "1024 1 1234 (1200-1301) 1500 2000 10000 12346 1234 4321 1024"
    assert sum(" ".join(shown.split()).endswith(line) for shown in lines) == len(found)
    assert sum(shown.startswith("resnet-sm") for shown in lines) >= len(found)
    assert "…" not in "".join(lines)
    assert {"p50 ms", "p90 ms", "p99 ms", "examples/s", "load ms", "first ms", "peak MiB", "file MB"} <= {
        title.strip() for line in lines for title in re.split("  +| (?=p9|runs|examples/|load|first|peak)", line)
    }


def test_no_name_is_folded_where_output_is_not_a_terminal(
    rows: tuple[list[Row], list[tuple[int, int, str]]], zoo_command: Callable[..., Answer], tmp_path: Path
) -> None:
    name = "efficientnet-small-fashion_mnist"
    widest: dict[str, Any] = {
        "runtime": "saved_model",
        "p50_ms": 1234.5,
        "median_low_ms": 1200.1,
        "median_high_ms": 1300.9,
    }
    found = [dataclasses.replace(row, artifact=f"artifacts/{name}", **widest) for row in rows[0]]
    assert _printed(found, table.width(found)).count(f"{name} ") >= len(found)
    made = make_artifact(tmp_path / name)
    printed = zoo_command("benchmark", made, "--batch", 1, "--threads", 1, "--seconds", 0.05).out
    assert printed.count(f"{name} ") == 2


def test_artifacts_of_one_name_keep_their_paths_in_the_table(
    rows: tuple[list[Row], list[tuple[int, int, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (dataclasses.replace(rows[0][0], artifact=name) for name in ("a/net", "b/net"))
    assert "a/net" in _printed([first, second])
    assert "a/net" not in _printed([first])
    (tmp_path / "c-net").mkdir()
    monkeypatch.chdir(tmp_path / "c-net")
    assert "c-net " in _printed([dataclasses.replace(first, artifact=".")])


def test_csv_and_json_hold_every_figure(rows: tuple[list[Row], list[tuple[int, int, str]]], tmp_path: Path) -> None:
    found, made = rows[0], provenance.here(seed=4)
    table.write_csv(tmp_path / "rows.csv", found, made)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        stored = list(csv.DictReader(file))
    assert [float(row["p50_ms"]) for row in stored] == [row.p50_ms for row in found]
    assert {row["seed"] for row in stored} == {"4"}
    assert all(row["command"] and row["onnxruntime"] and row["cpus"] for row in stored)
    assert all(
        (json.loads(row["versions"]), json.loads(row["machine"])) == (made.versions, made.machine) for row in stored
    )
    assert made.versions["keras-zoo"]
    again = json.loads(json.dumps(table.as_json(found), allow_nan=False))
    assert [Row(**values) for values in again] == found


def test_an_artifact_that_answers_no_numbers_is_not_measured() -> None:
    nothing = {"logits": np.array([[np.nan, 0]], np.float32)}
    with pytest.raises(Refused, match="not finite"):
        latency.measure([lambda inputs: nothing], [{}], 0.0, np.random.default_rng(0))


def test_a_format_whose_library_is_not_installed_is_left_out_or_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_artifact(tmp_path / "both", ("onnx", "saved_model"))
    write_saved_model_stub(folder)
    sign(folder)
    monkeypatch.setattr("zoo.formats.is_installed", lambda row: row.name != "saved_model")
    said: list[str] = []
    found = benchmark([folder], batches=[1], threads=[1], seconds=0.05, say=said.append)
    assert [row.runtime for row in found] == ["onnx"]
    assert said == [f"{folder}: saved_model is left out, because tensorflow is not installed"]


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    folder = make_artifact(tmp_path / "one")
    one: Any = np.int64(1)
    found = zoo.benchmark(folder, batch=np.array([1, 2]), threads=one, seconds=0.05)
    assert [row.batch for row in found.rows] == [1, 2]
    with pytest.raises(ZooError, match="threads 0: a number from 1"):
        zoo.benchmark(folder, batch=1, threads=0, seconds=0.05)
