"""Cost of hostile, broken and empty requests to a server, measured on SavedModels in TensorFlow's C++ loader, XLA off.

usage: python -m benchmarks.hostile_requests ARTIFACT…      writes results/hostile_requests.json

The batches are simulated: each holds the images that a server with batching would collect from requests of one image.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record
from zoo import artifact, contract
from zoo.export.tf_serving import rules, warmup
from zoo.export.tf_serving.server_check import Outcome, Request, first_line, run_loader, tensor_names
from zoo.formats.saved_model import SAVED_MODEL
from zoo.inputs.image import INPUT, hostile
from zoo.inputs.image.client import IMAGE, IMAGE_BYTES

SEED = 0
CLIENTS, BAD_CLIENTS, BATCH, BATCHES = 16, 2, 8, 50
ROUNDS = 30
BROKEN = {"no image": b"no image", "60000 by 1": hostile.png(60_000, 1)}
COSTS = ("seconds", "cpu_seconds", "memory", "errors")
BY_BYTES = (INPUT.raw, INPUT.raw_safe)


def main() -> None:
    """Measure each artifact on a copy of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("artifacts", type=Path, nargs="+")
    figures = {}
    for folder in parser.parse_args().artifacts:
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(shutil.copytree(folder / SAVED_MODEL.path, Path(scratch, "base")))
            figures[folder.name] = measured(folder, rules.version_folder(base))
    record("hostile_requests", figures, SEED)


def measured(folder: Path, version: Path) -> dict[str, Any]:
    """The figures of one artifact, whose SavedModel is at `version`."""
    model = artifact.read(folder).model
    uploads = dict(warmup.read_warmup(version))[INPUT.raw][IMAGE_BYTES]
    return {
        "network": f"{model.family} {model.size}, {list(model.preprocessing.shape)}",
        "hostile": hostile_images(version, uploads[0]),
        "empty_batch": {f"oneDNN {state}": empty(version, model.preprocessing.shape, state) for state in ("on", "off")},
        "batching": batching(version, uploads),
        "latency": latency(version, uploads),
    }


def hostile_images(version: Path, upload: bytes) -> dict[str, Any]:
    """Time, memory and answer of `serve_bytes` for each hostile image, after a valid request."""
    images: dict[str, tuple[bytes, ...]] = {"a right image": (upload,)}
    images |= {name: (file,) for name, file in (hostile.refused_images() | hostile.costly_images()).items()}
    largest = hostile.costly_images()["a PNG of 5000 by 5000, 1 bit"]
    images["8 of 5000 by 5000, 1 bit"] = (largest,) * BATCH
    requests = [asked("first", INPUT.raw, upload)]
    requests += [asked(name, INPUT.raw, *files) for name, files in images.items()]
    outcome = done(version, requests)
    rows = zip(images.items(), *(outcome.document[key][1:] for key in COSTS), strict=True)
    return {
        name: {
            "file_bytes": sum(map(len, files)),
            "seconds": round(seconds, 4),
            "cpu_seconds": round(worked, 4),
            "memory_mib": round(memory / 2**20, 1),
            "answer": "answered" if error is None else first_line(error),
        }
        for (name, files), seconds, worked, memory, error in rows
    }


def empty(version: Path, shape: tuple[int, ...], onednn: str) -> dict[str, Any]:
    """The answer of each signature to an empty batch, with oneDNN's kernels on or off."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if onednn == "on" else "0"
    requests = [asked(signature, signature) for signature in BY_BYTES]
    requests.append(Request(contract.SERVE, contract.SERVE, {IMAGE: np.zeros((0, *shape), np.uint8)}))
    outcome = done(version, requests)
    del os.environ["TF_ENABLE_ONEDNN_OPTS"]
    return {
        request.name: first_line(error) if error else {name: list(value.shape) for name, value in sorted(said.items())}
        for request, error, said in zip(requests, outcome.document["errors"], outcome.answers, strict=True)
    }


def batching(version: Path, uploads: np.ndarray) -> dict[str, Any]:
    """The number of valid requests that fail because they share a batch with broken images of other clients."""
    random, broken = np.random.default_rng(SEED), list(BROKEN.values())
    batches = [random.choice(CLIENTS, BATCH, replace=False) for _ in range(BATCHES)]
    files = [broken[client] if client < BAD_CLIENTS else uploads[client % len(uploads)] for client in range(CLIENTS)]
    alone = done(version, [asked("alone", INPUT.raw, *files[BAD_CLIENTS:])]).answers[0][contract.LOGITS]
    rows: dict[str, Any] = {"clients": CLIENTS, "who_send_broken_images": BAD_CLIENTS, "batch": BATCH}
    for signature in BY_BYTES:
        requests = [asked("batch", signature, *(files[client] for client in batch)) for batch in batches]
        outcome, failed, differences, right = done(version, requests), 0, [0.0], 0
        for batch, said in zip(batches, outcome.answers, strict=True):
            for place, client in enumerate(batch):
                if client < BAD_CLIENTS:
                    continue
                right += 1
                status = said.get(contract.STATUS, np.full(BATCH, b"", object))
                if not said or status[place]:
                    failed += 1
                else:
                    differences.append(float(np.abs(said[contract.LOGITS][place] - alone[client - BAD_CLIENTS]).max()))
        rows[signature] = {
            "right_requests": right,
            "failed": failed,
            "failed_share": round(failed / right, 4),
            "largest_difference_of_logits": max(differences) / float(np.abs(alone).max()),
        }
    return rows


def latency(version: Path, uploads: np.ndarray) -> dict[str, Any]:
    """Median milliseconds of both signatures on valid images, interleaved, with the median of the paired ratios."""
    rows = {}
    for size in (1, BATCH):
        files = [uploads[number % len(uploads)] for number in range(size)]
        requests = [asked(signature, signature, *files) for _ in range(ROUNDS + 3) for signature in BY_BYTES]
        seconds = np.array(done(version, requests).document["seconds"]).reshape(-1, 2)[3:]
        rows[f"batch {size}"] = {
            **{
                name: round(float(value) * 1000, 3) for name, value in zip(BY_BYTES, np.median(seconds, 0), strict=True)
            },
            "ratio": round(float(np.median(seconds[:, 1] / seconds[:, 0])), 4),
        }
    return rows


def asked(name: str, signature: str, *files: bytes) -> Request:
    """A request of encoded images."""
    return Request(name, signature, {IMAGE_BYTES: np.array([*files, None], object)[:-1]})


def done(version: Path, requests: list[Request]) -> Outcome:
    """The requests, in a process of their own."""
    outcome = run_loader(version, tensor_names(rules.read_meta_graph(version)), requests, 600)
    if outcome.problem:
        raise SystemExit(outcome.problem)
    return outcome


if __name__ == "__main__":
    main()
