"""Distance of two replicas and of two workers from one device after 20 or 21 steps, for a network of every family.

Each training runs for an epoch on the same 160 to 172 examples with clipping, warm-up, label smoothing, weight decay
and a moving average of the weights, but without dropout, whose masks depend on how a batch is divided. The script
compares the weights and their averages. The distance of a variable is the norm of the difference divided by the norm;
statistics are those of batch normalization. Some variables are 0 but for rounding, such as a bias before another batch
normalization, whose gradient is 0; the distance of these is the norm of the difference.

float64 distinguishes errors from rounding: in float64, all variables must agree within 1e-4. In float32, the control
compares one device with itself with TensorFlow's other kernels (TF_ENABLE_ONEDNN_OPTS=0), which round differently.

usage: python -m benchmarks.equivalence SCRATCH [--only FAMILY ...]      writes results/equivalence.json
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import gc
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.measured import record, recorded
from zoo.family import Family, Size

BATCH, EXAMPLES, SIDE = 8, 172, 32
BOUND = 1e-4
"""The largest distance in float64."""

ZERO = 1e-9
"""The norm in float64 below which a variable is 0 but for rounding."""

WIDTHS = {"convnext": 0.25, "efficientnet": 0.25, "vgg": 0.25, "wav2vec2": 0.25}
"""The width of the families whose smallest network is large, as a factor: float64 would take half an hour for each."""

RECIPE = (
    "epochs=1", f"batch_size={BATCH}", "keep=last", "label_smoothing=0.1", "optimizer.clip_norm=0.5", "ema_decay=0.9",
    "schedule.warmup_epochs=0.5", "split.test=0.015", "split.validation=0.015", "split.copies_together=false",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to train: its processes, the logical devices of each, the precisions, and variables of the environment."""

    name: str
    processes: int = 1
    devices: int | None = 1
    precisions: tuple[str, ...] = ("float64", "float32")
    variables: dict[str, str] = dataclasses.field(default_factory=dict)


ONE = Way("one device")
OTHERS = (
    Way("two devices", devices=2),
    Way("two workers", processes=2, devices=None),
    Way("other kernels", precisions=("float32",), variables={"TF_ENABLE_ONEDNN_OPTS": "0"}),
)


def main() -> None:
    """Measure the networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="FAMILY")
    parser.add_argument("--way", help="train in this way in this process, without a comparison")
    asked = parser.parse_args()
    asked.scratch.mkdir(parents=True, exist_ok=True)
    if asked.way:
        (way,) = (way for way in (ONE, *OTHERS) if way.name == asked.way)
        train(way, networks(asked.only), asked.scratch)
        return
    for way in (ONE, *OTHERS):
        start(way, asked.only, asked.scratch)
    figures = recorded("equivalence")
    for family, size in networks(asked.only):
        figures[network_name(family, size)] = compared(family, size, asked.scratch)
    record("equivalence", dict(sorted(figures.items())))
    far = [name for name, found in figures.items() if farthest(found["float64"]) >= BOUND]
    if far:
        sys.exit(f"more than {BOUND:g} apart in float64: {', '.join(far)}")


def networks(only: Sequence[str] = ()) -> list[tuple[Family, Size]]:
    """The smallest size of each family."""
    from zoo.registry import families

    return [
        (family, min(family.sizes, key=lambda size: size.parameters))
        for name, family in families().items()
        if not only or name in only
    ]


def start(way: Way, only: Sequence[str], scratch: Path) -> None:
    """Train all networks in one way, in processes of their own."""
    command = [sys.executable, "-m", "benchmarks.equivalence", str(scratch), "--way", way.name]
    command += ["--only", *only] if only else []
    print(f"$ {' '.join(command[1:])}  × {way.processes}", file=sys.stderr, flush=True)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(way.processes + 1)[:-1]]
    processes = []
    for index in range(way.processes):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        variables = {**way.variables, "TF_CONFIG": json.dumps(config)}
        processes.append(subprocess.Popen(command, env=os.environ | variables))
    statuses = [process.wait() for process in processes]
    if any(statuses):
        sys.exit(f"{way.name}: a training failed")


def free_ports(count: int) -> list[int]:
    """Ports in a row that nobody listens to, below those that the system hands out."""
    for first in range(21000 + os.getpid() % 1000 * 8, 32000, count):
        try:
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return [*range(first, first + count)]
    sys.exit("no ports are free")


def train(way: Way, those: Sequence[tuple[Family, Size]], scratch: Path) -> None:
    """Train networks one after the other, as one process of a way."""
    from zoo.tensorflow_setup import import_keras

    import_keras()
    import keras

    from zoo.dropout import Dropout
    from zoo.training import strategy as strategies
    from zoo.training.cluster import find
    from zoo.training.follow import follow
    from zoo.training.gathering import gathered
    from zoo.training.request import DataRequest, Execution, TrainingRequest
    from zoo.training.start import start as start_training

    def unchanged(layer: Any, inputs: Any, training: bool = False) -> Any:
        return inputs

    with gathered(find("auto")) as team:
        chosen = strategies.choose("auto", way.devices, team)
        with (
            mock.patch.object(strategies, "choose", return_value=chosen),
            mock.patch.object(Dropout, "call", unchanged),
        ):
            for family, size in those:
                for precision in way.precisions:
                    if not team.chief:
                        follow(None, Execution(team=team))
                    else:
                        folder = place(scratch, way, family, size, precision)
                        shutil.rmtree(folder, ignore_errors=True)
                        source, options = DATA[family.input](scratch / family.input)
                        request = TrainingRequest(
                            family=family.name,
                            size=size.name,
                            data=DataRequest(source, options=options),
                            settings=[*RECIPE, f"precision={precision}", f"network.width={width(family)}"],
                            out=folder,
                        )
                        start_training(request, Execution(say=print, team=team), lambda model: None)
                    keras.backend.clear_session()
                    gc.collect()


def width(family: Family) -> float:
    """The factor of a network's width."""
    return WIDTHS.get(family.name, 1.0)


def network_name(family: Family, size: Size) -> str:
    """The name of a network, such as vgg-small-x0.25 for a quarter of the width."""
    return f"{family.name}-{size.name}" + (f"-x{WIDTHS[family.name]:g}" if family.name in WIDTHS else "")


def place(scratch: Path, way: Way, family: Family, size: Size, precision: str) -> Path:
    """The folder of a run."""
    return scratch / network_name(family, size) / f"{way.name} {precision}"


def compared(family: Family, size: Size, scratch: Path) -> dict[str, Any]:
    """The distances of a network by precision and way."""
    from safetensors.numpy import load_file

    from zoo import run

    def weights(way: Way, precision: str) -> dict[str, np.ndarray]:
        found = load_file(place(scratch, way, family, size, precision) / run.LAST)
        return {
            name: value.astype(np.float64)
            for name, value in found.items()
            if name.startswith(("model/", "average/")) and value.dtype.kind == "f"
        }

    zero = {name for name, value in weights(ONE, "float64").items() if np.linalg.norm(value) < ZERO}
    distances = {
        precision: {
            way.name: distance(weights(ONE, precision), weights(way, precision), zero)
            for way in OTHERS
            if precision in way.precisions
        }
        for precision in ONE.precisions
    }
    return {**distances, "variables_that_are_zero": len(zero)}


def distance(one: dict[str, np.ndarray], other: dict[str, np.ndarray], zero: set[str]) -> dict[str, float | str | None]:
    """Distances of the farthest variable, of the farthest statistic, and of all variables together."""
    assert one.keys() == other.keys()
    apart = {name: float(np.linalg.norm(other[name] - value)) for name, value in one.items()}
    norm = {name: float(np.linalg.norm(value)) for name, value in one.items()}
    relative = {name: apart[name] / (1.0 if name in zero else norm[name]) for name in one}
    statistics = [value for name, value in relative.items() if "/moving_" in name]
    name = max(relative, key=lambda name: relative[name])
    return {
        "farthest_variable": name,
        "farthest": relative[name],
        "farthest_statistic": max(statistics) if statistics else None,
        "together": float(np.linalg.norm([*apart.values()]) / np.linalg.norm([*norm.values()])),
    }


def farthest(found: dict[str, dict[str, Any]]) -> float:
    """The distance of the farthest variable, whatever the way."""
    return max(float(one["farthest"]) for one in found.values())


def images(folder: Path) -> tuple[str, dict[str, str]]:
    """Images of noise, brighter in one class than in the other."""
    from PIL import Image

    if not folder.exists():
        random = np.random.default_rng(0)
        for number in range(EXAMPLES):
            path = folder / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 180 + 70 * (number % 2), (SIDE, SIDE, 3), np.uint8)).save(path)
    return f"folder:{folder}", {}


def texts(folder: Path) -> tuple[str, dict[str, str]]:
    """Some of zoo's messages."""
    from zoo.data.load import load
    from zoo.recipe import Split

    path = folder / "messages.csv"
    if not path.exists():
        folder.mkdir()
        found = load("messages", "text", split=Split(), data_dir=None, options={}, bad_examples="error")
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("words", "kind"))
            for number in range(EXAMPLES):
                rows.writerow((found.train.read(number), found.labels[found.train.targets[number]]))
    return f"csv:{path}", {"text": "words", "target": "kind"}


def clips(folder: Path) -> tuple[str, dict[str, str]]:
    """Some of zoo's synthetic words."""
    from zoo.inputs.audio.synthetic import clips as made

    if not folder.exists():
        for number, (word, content) in enumerate(made(18, 0)):
            path = folder / word / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return f"folder:{folder}", {}


def rows(folder: Path) -> tuple[str, dict[str, str]]:
    """A table of scikit-learn's, with 178 rows."""
    return "wine", {}


DATA: dict[str, Callable[[Path], tuple[str, dict[str, str]]]] = {
    "image": images,
    "text": texts,
    "audio": clips,
    "table": rows,
}
"""The data of each kind of input: their source, and the options of it."""

if __name__ == "__main__":
    main()
