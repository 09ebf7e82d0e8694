"""Calibration: what values each tensor takes on real images, kept as histograms of fixed size.

onnxruntime's own histogram calibration (1.31) keeps every tensor of every image: 200 GB in its issue 21979.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import files
from zoo.contract import IMAGE
from zoo.errors import ZooError
from zoo.export.int8.qdq import Range
from zoo.export.onnx.graph_index import shapes

Method = Literal["minmax", "percentile"]
METHODS: tuple[Method, ...] = ("minmax", "percentile")

BINS = 4096
SHARE = 0.9999
"""Of the values, that a range by percentile expresses; half of the rest lies beyond each of its ends."""

MOST_BYTES = 2**28
"""Of tensors that are looked at in one run of the network."""

MOST_IMAGES = 16
SAMPLES = 2**14
"""Values of a tensor and image that are counted; the lowest and the highest are those of all."""


RECIPE = f"{BINS} bins, {SAMPLES} samples"


@dataclass
class Histogram:
    """Values counted in `BINS` bins from -reach to reach; the reach doubles, and bins merge, when a value is beyond."""

    low: float = 0.0
    high: float = 0.0
    reach: float = 0.0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: np.ndarray) -> None:
        """Count values of float32 [images, …].

        Raises:
            ZooError: some of them are not finite.
        """
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ZooError("the network's own values are not finite on the calibration images: train it again")
        self.low, self.high = min(self.low, low), max(self.high, high)
        largest = max(-low, high)
        if largest > self.reach:
            self._widen(largest)
        if not self.reach:
            self.counts[BINS // 2] += values.size
            return
        flat = values.reshape(len(values), -1)
        step = max(1, flat.shape[1] // SAMPLES) | 1  # odd, or the same few channels would always be met
        places = ((flat[:, ::step] / self.reach + 1) * (BINS / 2)).astype(np.int64)
        self.counts += np.bincount(np.minimum(places, BINS - 1).reshape(-1), minlength=BINS)

    def _widen(self, largest: float) -> None:
        if not self.reach:
            self.reach = 2.0 ** math.ceil(math.log2(largest))
            # What was met before were zeros.
            return
        while self.reach < largest:
            pairs = self.counts.reshape(-1, 2).sum(1)
            quarter = BINS // 4
            self.counts = np.concatenate([np.zeros(quarter, np.int64), pairs, np.zeros(quarter, np.int64)])
            self.reach *= 2

    def range(self, method: Method) -> Range:
        """The lowest and the highest value that 8 bits are to express."""
        if method == "minmax" or not self.reach:
            return self.low, self.high
        shares = np.cumsum(self.counts) / self.counts.sum()
        width = 2 * self.reach / BINS
        first = int(np.searchsorted(shares, (1 - SHARE) / 2, side="right"))
        last = int(np.searchsorted(shares, 1 - (1 - SHARE) / 2))
        low, high = first * width - self.reach, (last + 1) * width - self.reach
        return max(self.low, min(low, 0.0)), min(self.high, max(high, 0.0))


def collect(model: Any, names: Sequence[str], images: np.ndarray) -> dict[str, Histogram]:
    """The histogram of each named tensor of a float32 model over uint8 images [n, height, width, channels]."""
    histograms = {name: Histogram() for name in names}
    for name, values in _values(model, names, images):
        histograms[name].add(values)
    return histograms


def reach(model: Any, axes: Mapping[str, int], images: np.ndarray) -> dict[str, np.ndarray]:
    """The largest absolute value of each channel of tensors over uint8 images; `axes` says which one."""
    found: dict[str, np.ndarray] = {}
    for name, values in _values(model, list(axes), images):
        others = tuple(number for number in range(values.ndim) if number != axes[name] % values.ndim)
        largest = np.abs(values).max(others)
        found[name] = np.maximum(largest, found.get(name, largest))
    return found


def _values(model: Any, names: Sequence[str], images: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The values of each tensor for a few images at a time, in runs of the network that give bounded memory out.

    The weights are written to a scratch file once, which every group of tensors reads.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for group, batch, path in _groups(model, names, Path(scratch)):
            session = _session(path)
            for start in range(0, len(images), batch):
                yield from zip(group, session.run(group, {IMAGE: images[start : start + batch]}), strict=True)


def _groups(model: Any, names: Sequence[str], scratch: Path) -> Iterator[tuple[list[str], int, Path]]:
    """Groups of tensors, each with the images that can be run at once and a file that gives these tensors out."""
    import onnx

    known = shapes(model)
    sizes = {name: 4 * math.prod(size or 1 for size in known.get(name) or [2**20]) for name in names}
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    # The large weights lie in one file that all groups read.
    onnx.save(bare, scratch / "whole.onnx", save_as_external_data=True, location="weights", size_threshold=1024)
    bare = onnx.load(scratch / "whole.onnx", load_external_data=False)
    whole = list(bare.graph.output)
    groups: list[list[str]] = [[]]
    for name in names:
        if groups[-1] and sum(sizes[one] for one in groups[-1]) + sizes[name] > MOST_BYTES:
            groups.append([])
        groups[-1].append(name)
    for number, group in enumerate(groups):
        del bare.graph.output[:]
        bare.graph.output.extend(whole)
        given = {value.name for value in whole}
        bare.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in group
            if name not in given
        )
        path = scratch / f"group{number}.onnx"
        path.write_bytes(bare.SerializeToString())
        batch = max(1, min(MOST_IMAGES, MOST_BYTES // max(1, sum(sizes[name] for name in group))))
        yield group, batch, path


def _session(path: Path) -> Any:
    import onnxruntime

    from zoo.provenance import usable_cpus

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = usable_cpus()
    # Memory that was taken for one batch is given back: the arena would keep the most that any of them took.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write_cache(path: Path, key: str, histograms: Mapping[str, Histogram]) -> None:
    """Keep histograms in a file, whole or not at all."""
    names = list(histograms)
    with files.staged_file(path) as staging:
        np.savez(
            staging,
            allow_pickle=False,
            key=np.array(key),
            names=np.array(json.dumps(names)),
            ends=np.array([(h.low, h.high, h.reach) for h in histograms.values()], np.float64).reshape(-1, 3),
            counts=np.array([h.counts for h in histograms.values()], np.int64).reshape(-1, BINS),
        )


def read_cache(path: Path, key: str, names: Iterable[str]) -> dict[str, Histogram] | None:
    """What `write_cache` kept under this key; None where there is nothing, it is damaged, or of other tensors."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            found = json.loads(str(stored["names"]))
            ends, counts = stored["ends"], stored["counts"]
            histograms = {
                name: Histogram(low, high, reached, counted)
                for name, (low, high, reached), counted in zip(found, ends.tolist(), counts, strict=True)
            }
    except Exception:  # zipfile, zlib, numpy and json each raise their own; calibrating again mends all
        return None
    return histograms if set(histograms) == set(names) else None
