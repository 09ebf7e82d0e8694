"""Calibration: the range of each tensor on real examples, from histograms of fixed size.

onnxruntime's histogram calibration (1.31) keeps every tensor of every image in memory: 200 GB in its issue 21979.
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
from zoo.errors import ZooError
from zoo.export.batches import parts
from zoo.export.int8.qdq import Range
from zoo.export.onnx.graph_index import infer_shapes
from zoo.formats.onnx import inference_session
from zoo.input import Arrays

Method = Literal["minmax", "percentile"]
METHODS: tuple[Method, ...] = ("minmax", "percentile")

BINS = 4096
PERCENTILE = 0.9999
"""The share of values inside the range that the method `percentile` chooses; half of the others lie beyond each end."""

MOST_BYTES = 2**28
"""The most bytes of activations that one run of the network returns."""

MOST_EXAMPLES = 16
SAMPLES = 2**14
"""About how many values of each tensor and example a histogram counts. Its lowest and highest value are those of the
whole tensor."""

SETTINGS = f"{BINS} bins, {SAMPLES} samples of all channels"
"""The settings that a cached histogram depends on."""


@dataclass
class Histogram:
    """Counts of a tensor's values in `BINS` bins between -bound and bound, and its lowest and highest value.

    A value beyond the bound doubles it, and neighboring bins are merged.
    """

    low: float = 0.0
    high: float = 0.0
    bound: float = 0.0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: np.ndarray) -> None:
        """Count the values of a tensor, float32 [examples, …].

        Raises:
            ZooError: some of them are not finite.
        """
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ZooError("an activation of the network is not finite on the calibration examples: train it again")
        self.low, self.high = min(self.low, low), max(self.high, high)
        largest = max(-low, high)
        if largest > self.bound:
            self._widen(largest)
        if not self.bound:
            self.counts[BINS // 2] += values.size
            return
        flat = values.reshape(len(values), -1)
        step = max(1, flat.shape[1] // SAMPLES)
        # A step that has a divisor in common with the number of channels would visit only some of them.
        while math.gcd(step, flat.shape[1]) > 1:
            step += 1
        bins = ((flat[:, ::step] / self.bound + 1) * (BINS / 2)).astype(np.int64)
        self.counts += np.bincount(np.minimum(bins, BINS - 1).reshape(-1), minlength=BINS)

    def _widen(self, largest: float) -> None:
        if not self.bound:
            self.bound = 2.0 ** math.ceil(math.log2(largest))
            # All values before were 0 and are counted in the middle bin.
            return
        while self.bound < largest:
            pairs = self.counts.reshape(-1, 2).sum(1)
            quarter = BINS // 4
            self.counts = np.concatenate([np.zeros(quarter, np.int64), pairs, np.zeros(quarter, np.int64)])
            self.bound *= 2

    def range(self, method: Method) -> Range:
        """Return the lowest and the highest value that the tensor's 8 bits represent."""
        if method == "minmax" or not self.bound:
            return self.low, self.high
        shares = np.cumsum(self.counts) / self.counts.sum()
        width = 2 * self.bound / BINS
        first = int(np.searchsorted(shares, (1 - PERCENTILE) / 2, side="right"))
        last = int(np.searchsorted(shares, 1 - (1 - PERCENTILE) / 2))
        low, high = first * width - self.bound, (last + 1) * width - self.bound
        return max(self.low, min(low, 0.0)), min(self.high, max(high, 0.0))


def collect(model: Any, names: Sequence[str], batches: Sequence[Arrays]) -> dict[str, Histogram]:
    """Collect the histogram of each named tensor of a float32 model.

    Args:
        model: an onnx.ModelProto.
        names: the tensors.
        batches: examples as inputs of the contract; all examples of a batch have the same length.
    """
    histograms = {name: Histogram() for name in names}
    for name, values in _values(model, names, batches):
        histograms[name].add(values)
    return histograms


def channel_maxima(model: Any, axes: Mapping[str, int], batches: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Measure the largest absolute value of each channel of each tensor, float32 [channels].

    Args:
        model: an onnx.ModelProto.
        axes: the channel axis of each tensor.
        batches: examples as inputs of the contract; all examples of a batch have the same length.
    """
    maxima: dict[str, np.ndarray] = {}
    for name, values in _values(model, list(axes), batches):
        others = tuple(number for number in range(values.ndim) if number != axes[name] % values.ndim)
        largest = np.abs(values).max(others)
        maxima[name] = np.maximum(largest, maxima.get(name, largest))
    return maxima


def _values(model: Any, names: Sequence[str], batches: Sequence[Arrays]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the values of each tensor for a few examples at a time.

    The network runs once for each group of tensors, so that no run returns more than `MOST_BYTES`. All groups share one
    scratch file of weights.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for group, at_once, path in _groups(model, names, _longest(batches), Path(scratch)):
            # onnxruntime's arena would keep the memory of the largest batch until the end.
            session = inference_session(path, arena=False)
            for examples in (examples for batch in batches for examples in parts(batch, at_once)):
                yield from zip(group, session.run(group, examples), strict=True)


def _longest(batches: Sequence[Arrays]) -> int:
    """Return the largest dimension of an example."""
    return max((size for batch in batches for values in batch.values() for size in values.shape[1:]), default=1)


def _groups(model: Any, names: Sequence[str], longest: int, scratch: Path) -> Iterator[tuple[list[str], int, Path]]:
    """Yield groups of tensors, each with its batch size and an ONNX file that has these tensors as outputs.

    Open dimensions after the first are taken to be `longest`.
    """
    import onnx

    shapes = infer_shapes(model)

    def bytes_of(name: str) -> int:
        first, *others = shapes.get(name) or [2**20]
        return 4 * math.prod([first or 1, *(size or longest for size in others)])

    sizes = {name: bytes_of(name) for name in names}
    # Saving with external data moves the weights out of the model that is saved.
    weightless = onnx.ModelProto()
    weightless.CopyFrom(model)
    onnx.save(weightless, scratch / "whole.onnx", save_as_external_data=True, location="weights", size_threshold=1024)
    weightless = onnx.load(scratch / "whole.onnx", load_external_data=False)
    outputs = list(weightless.graph.output)
    groups: list[list[str]] = [[]]
    for name in names:
        if groups[-1] and sum(sizes[member] for member in groups[-1]) + sizes[name] > MOST_BYTES:
            groups.append([])
        groups[-1].append(name)
    for number, group in enumerate(groups):
        del weightless.graph.output[:]
        weightless.graph.output.extend(outputs)
        present = {value.name for value in outputs}
        weightless.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in group
            if name not in present
        )
        path = scratch / f"group{number}.onnx"
        path.write_bytes(weightless.SerializeToString())
        batch = max(1, min(MOST_EXAMPLES, MOST_BYTES // max(1, sum(sizes[name] for name in group))))
        yield group, batch, path


def write_cache(path: Path, key: str, histograms: Mapping[str, Histogram]) -> None:
    """Write histograms to a cache file, whole or not at all."""
    names = list(histograms)
    with files.staged_file(path) as staging:
        np.savez(
            staging,
            allow_pickle=False,
            key=np.array(key),
            names=np.array(json.dumps(names)),
            ends=np.array([(h.low, h.high, h.bound) for h in histograms.values()], np.float64).reshape(-1, 3),
            counts=np.array([h.counts for h in histograms.values()], np.int64).reshape(-1, BINS),
        )


def read_cache(path: Path, key: str, names: Iterable[str]) -> dict[str, Histogram] | None:
    """Read the histograms of `names` that `write_cache` wrote with this key.

    None if there is no such file, or it is damaged or has another key or other tensors.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            stored_names = json.loads(str(stored["names"]))
            ends, counts = stored["ends"], stored["counts"]
            histograms = {
                name: Histogram(low, high, bound, counted)
                for name, (low, high, bound), counted in zip(stored_names, ends.tolist(), counts, strict=True)
            }
    except Exception:  # zipfile, zlib, numpy and json raise their own exceptions; calibrating again fixes all
        return None
    return histograms if set(histograms) == set(names) else None
