"""The gate `server`: a SavedModel is loaded as TF Serving does it, and has to answer, refuse and survive requests.

It runs without the server. The SavedModel is moved to another folder, where no path of this machine leads back to it,
and loaded in a process of its own by `zoo.export.tf_serving.server_loader`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import contract, files
from zoo.agreement import relative_difference
from zoo.artifact import Gate
from zoo.contract import TOLERANCE
from zoo.errors import ZooError
from zoo.export.tf_serving import rules, server_loader, warmup
from zoo.export.tf_serving.load_check import incomplete_copies
from zoo.inputs.image import hostile
from zoo.signature import Tensor

LIMIT_SECONDS = 600.0
"""Wall time after which the process is stopped and the gate fails."""

HOSTILE_SECONDS, HOSTILE_BYTES = 5.0, 2**30
"""Processor time and memory that a hostile image may take beyond the most expensive valid request."""

LIBRARIES = ("libtensorflow_framework", "libtensorflow_cc")
"""Libraries of TensorFlow's wheel, in the order in which they have to be loaded."""

FATAL = r"F\d{4} |.*: F tensorflow/"
"""The beginning of the line that TensorFlow logs before it aborts, in version 2.21 and before it used absl's log."""


@dataclass(frozen=True)
class Request:
    """A request and the correct reaction to it.

    Attributes:
        name: a description for people.
        signature: the signature that it uses.
        inputs: arrays by name; strings are object arrays of bytes.
        expected: whether it has to be answered or refused, or either is fine as long as the process survives.
        logits: the expected logits, float32 [batch, classes], if they are known.
        refused: positions in the batch of the images that the output `status` has to refuse, with a reason.
        hostile: whether it is held to `HOSTILE_SECONDS` and `HOSTILE_BYTES`.
    """

    name: str
    signature: str
    inputs: dict[str, np.ndarray]
    expected: Literal["answer", "refusal", "either"] = "answer"
    logits: np.ndarray | None = None
    refused: tuple[int, ...] = ()
    hostile: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of the process: its document and the outputs of each request by name, or the problem that ended it."""

    document: dict[str, Any]
    answers: list[dict[str, np.ndarray]]
    problem: str | None = None


def server_gate(base: Path, golden: dict[str, np.ndarray], *, limit_seconds: float = LIMIT_SECONDS) -> Gate:
    """Run the gate `server`: with XLA off, the model answers valid requests, refuses invalid ones, and survives both.

    Args:
        base: the folder of BASE/VERSION/saved_model.pb.
        golden: `image`, uint8 [images, height, width, channels], and its `logits`, float32 [images, classes].
        limit_seconds: wall time after which the process is stopped and the gate fails.

    Raises:
        ZooError: `golden` is not as described, or TensorFlow's libraries are missing. A bad model raises nothing.
    """
    image, logits = golden[contract.IMAGE], golden[contract.LOGITS]
    images = image.dtype == np.uint8 and image.ndim == 4 and image.size
    if not images or logits.ndim != 2 or not _fits(logits, (len(image), logits.shape[1])):
        raise ZooError(f"golden images {image.dtype} {image.shape} and logits {logits.shape} do not belong together")
    try:
        version = rules.version_folder(base)
        signatures = tensor_names(rules.read_meta_graph(version))
        valid = valid_requests(warmup.read_warmup(version), image, logits)
        files.files_below(version)  # refuses links, which could lead back here
    except ZooError as error:
        return Gate("server", False, {"problems": [str(error)]})
    uploads = [text for request in valid for text in request.inputs.get(contract.IMAGE_BYTES, _texts()).flat]
    encoded = uploads[0] if uploads else b""
    between = [*empty_requests(image), *invalid_requests(image, encoded), *hostile_requests(encoded)]
    requests = [*valid, *between, *repeated_requests(valid, image, logits)]
    outcome = run_loader(version, signatures, requests, limit_seconds)
    return judge(requests, outcome, logits.shape[1])


def tensor_names(meta_graph: Any) -> dict[str, dict[str, dict[str, str]]]:
    """Map each signature to its `inputs` and `outputs`, which map public names to tensors of the graph."""
    return {
        name: {
            "inputs": {key: tensor.name for key, tensor in signature.inputs.items()},
            "outputs": {key: tensor.name for key, tensor in signature.outputs.items()},
        }
        for name, signature in meta_graph.signature_def.items()
        if name != rules.INIT
    }


def valid_requests(
    warm_up: list[tuple[str, dict[str, np.ndarray]]], image: np.ndarray, logits: np.ndarray
) -> list[Request]:
    """List the warm-up requests in their order, and the golden one."""
    replayed = [Request(f"warm-up {number}", name, inputs) for number, (name, inputs) in enumerate(warm_up, 1)]
    return [*replayed, Request("golden", contract.SERVE, {contract.IMAGE: image}, logits=logits)]


def repeated_requests(valid: list[Request], image: np.ndarray, logits: np.ndarray) -> list[Request]:
    """List valid requests to repeat after the invalid ones: the first for each signature, and one golden image."""
    first = {request.signature: request for request in reversed(valid)}
    again = [Request(f"{request.name}, again", request.signature, request.inputs) for request in first.values()]
    return [*again, Request("golden, again", contract.SERVE, {contract.IMAGE: image[:1]}, logits=logits[:1])]


def empty_requests(image: np.ndarray) -> list[Request]:
    """List empty batches, to be answered with empty outputs; `image` is uint8 [images, height, width, channels]."""
    return [
        Request("an empty batch", contract.SERVE, {contract.IMAGE: image[:0]}),
        Request("an empty batch of Examples", contract.CLASSIFY, {contract.EXAMPLES: _texts()}),
        *(
            Request(f"an empty batch for {signature}", signature, {contract.IMAGE_BYTES: _texts()})
            for signature in (contract.SERVE_BYTES, contract.SERVE_BYTES_SAFE, contract.SERVE_LABELS)
        ),
    ]


def hostile_requests(encoded: bytes) -> list[Request]:
    """List requests with hostile images, alone and in one batch with a valid file `encoded`."""
    refused, costly = hostile.refused_images(), hostile.costly_images()
    worst = list(refused.values())
    return [
        *(
            Request(name, contract.SERVE_BYTES, {contract.IMAGE_BYTES: _texts(file)}, "refusal", hostile=True)
            for name, file in refused.items()
        ),
        *(
            Request(name, contract.SERVE_BYTES, {contract.IMAGE_BYTES: _texts(file)}, "either", hostile=True)
            for name, file in costly.items()
        ),
        Request(
            "an image beside all that are refused",
            contract.SERVE_BYTES_SAFE,
            {contract.IMAGE_BYTES: _texts(*worst[:4], encoded, *worst[4:])},
            refused=(*range(4), *range(5, len(worst) + 1)),
            hostile=True,
        ),
    ]


def invalid_requests(image: np.ndarray, encoded: bytes) -> list[Request]:
    """List invalid requests for all signatures; where there is an output `status`, it has to refuse the invalid image.

    Args:
        image: uint8 [images, height, width, channels].
        encoded: a valid JPEG or PNG file.
    """
    one = image[:1]
    _, height, width, channels = one.shape
    images = {
        "numbers for images": np.array([1, 2], np.uint8),  # {"instances": [1.0, 2.0]}
        "a scalar": np.array(1, np.uint8),
        "an image without a batch": one[0],
        "a dimension too many": one[None],
        "a row too many": np.zeros((1, height + 1, width, channels), np.uint8),
        "a row too few": np.zeros((1, height - 1, width, channels), np.uint8),
        "a column too many": np.zeros((1, height, width + 1, channels), np.uint8),
        "a channel too many": np.zeros((1, height, width, channels + 1), np.uint8),
        "no channels": np.zeros((1, height, width, 0), np.uint8),
        "float32 images": one.astype(np.float32),
        "strings for images": _texts(b"image"),
    }
    files = {
        "bytes that are no image": (b"no image",),
        "no bytes": (b"",),
        "half an image": (encoded[: len(encoded) // 2],),
        "no image beside an image": (encoded, b"no image"),
    }
    encodings = {
        "an image's bytes without a batch": _texts(encoded).reshape(()),
        "bytes with a dimension too many": _texts(encoded).reshape(1, 1),
        "numbers for bytes": one.reshape(-1),
    }
    labels = {
        "bytes that are no image, to be labeled": (contract.SERVE_LABELS, _texts(b"no image")),
        "bytes that are no Example": (contract.CLASSIFY, _texts(b"no Example")),
        "an Example without an image": (contract.CLASSIFY, _texts(b"")),
        "an Example without a batch": (contract.CLASSIFY, _texts(b"").reshape(())),
    }
    return [
        *(Request(name, contract.SERVE, {contract.IMAGE: value}, "refusal") for name, value in images.items()),
        *(
            Request(name, contract.SERVE_BYTES, {contract.IMAGE_BYTES: value}, "refusal")
            for name, value in [*((name, _texts(*texts)) for name, texts in files.items()), *encodings.items()]
        ),
        *(
            Request(f"{name}, safe", contract.SERVE_BYTES_SAFE, {contract.IMAGE_BYTES: value}, "refusal")
            for name, value in encodings.items()
        ),
        *(
            Request(name, signature, {contract.input_of(signature): value}, "refusal")
            for name, (signature, value) in labels.items()
        ),
        *(
            Request(
                f"{name}, safe",
                contract.SERVE_BYTES_SAFE,
                {contract.IMAGE_BYTES: _texts(*texts)},
                refused=(len(texts) - 1,),
            )
            for name, texts in files.items()
        ),
    ]


def run_loader(version: Path, signatures: dict[str, Any], requests: list[Request], limit_seconds: float) -> Outcome:
    """Run the requests in a process of their own, on the SavedModel moved to another folder."""
    with tempfile.TemporaryDirectory(prefix="zoo-server-") as scratch, moved(version) as elsewhere:
        job = {
            "libraries": libraries(),
            "saved_model": str(elsewhere),
            "tag": rules.TAG,
            "signatures": signatures,
            "incomplete": {name: str(copy) for name, copy in incomplete_copies(elsewhere, Path(scratch)).items()},
            "requests": [
                {"name": request.name, "signature": request.signature, "inputs": list(request.inputs)}
                for request in requests
            ],
        }
        job_file = Path(scratch, "job.json")
        files.write_json(job_file, job)
        arrays: dict[str, np.ndarray] = {}
        for number, request in enumerate(requests):
            for name, value in request.inputs.items():
                arrays |= server_loader.packed(f"{number}/{name}", value)
        np.savez(job_file.with_name(server_loader.REQUESTS), **arrays)  # type: ignore[arg-type]
        command = [sys.executable, "-P", "-m", "zoo.export.tf_serving.server_loader", str(job_file)]
        # On the CPU, because this process may hold all GPU memory.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_seconds
            )
        except subprocess.TimeoutExpired as stopped:
            doing, _ = last_words(stopped.stderr)
            return Outcome({}, [], f"did not end within {limit_seconds:g} s: it was at '{doing}'")
        doing, words = last_words(done.stderr)
        if done.returncode < 0:
            died = signal.Signals(-done.returncode).name
            return Outcome({}, [], f"the process died of {died} at '{doing}': {words}")
        if done.returncode:
            return Outcome({}, [], f"the process ended with {done.returncode} at '{doing}': {words}")
        document = json.loads(done.stdout)
        if "load_error" in document:
            return Outcome(document, [], f"does not load: {first_line(document['load_error'])}")
        with np.load(job_file.with_name(server_loader.ANSWERS), allow_pickle=False) as answers:
            arrays = dict(answers)
        return Outcome(document, [_answer(number, arrays) for number in range(len(requests))])


@contextlib.contextmanager
def moved(folder: Path) -> Iterator[Path]:
    """Move a folder to another name beside it, and back at the end of the block."""
    with tempfile.TemporaryDirectory(prefix=".moved-", dir=folder.parent.parent) as place:
        elsewhere = folder.rename(Path(place, "elsewhere"))
        try:
            yield elsewhere
        finally:
            elsewhere.rename(folder)


def libraries() -> list[str]:
    """Find the shared libraries of TensorFlow's wheel without importing it.

    Raises:
        ZooError: TensorFlow is not installed, or its wheel has other libraries.
    """
    spec = importlib.util.find_spec("tensorflow")
    folder = Path(spec.origin).parent if spec and spec.origin else Path("tensorflow")
    found = [min(map(str, folder.glob(f"{name}.*")), default="") for name in LIBRARIES]
    if not all(found):
        raise ZooError(f"{folder} has no {' or no '.join(LIBRARIES)}: install the package tensorflow from PyPI")
    return found


def judge(requests: list[Request], outcome: Outcome, classes: int) -> Gate:
    """Judge an outcome: valid requests have to be answered correctly, and invalid ones refused."""
    figures: dict[str, Any] = {"tolerance": TOLERANCE, "answered": 0, "refused": {}, "problems": []}
    if outcome.problem:
        figures["problems"] = [outcome.problem]
        return Gate("server", False, figures)
    differences = []
    for request, error, answer in zip(requests, outcome.document["errors"], outcome.answers, strict=True):
        if error is not None and request.expected == "answer":
            figures["problems"].append(f"'{request.name}' was not answered: {first_line(error)}")
        elif error is not None:
            figures["refused"][request.name] = first_line(error)
        elif request.expected == "refusal":
            figures["problems"].append(f"'{request.name}' was answered, it should be refused")
        elif request.expected == "answer":
            figures["answered"] += 1
            figures["problems"] += [f"'{request.name}': {problem}" for problem in _faults(request, answer, classes)]
            found = answer.get(contract.LOGITS)
            if request.logits is not None and found is not None and _fits(found, request.logits.shape):
                differences.append(relative_difference(found, request.logits))
    figures["hostile"], costly = _costs(requests, outcome.document)
    figures["problems"] += costly
    figures["load_seconds"] = round(outcome.document["load_seconds"], 3)
    incomplete = outcome.document["incomplete"]
    figures["incomplete"] = {name: error and first_line(error) for name, error in incomplete.items()}
    figures["problems"] += [
        f"an incomplete copy ({name}) loads, and every request to it would fail"
        for name, error in incomplete.items()
        if error is None
    ]
    figures["largest_difference"] = max(differences, default=None)
    figures["problems"] += [
        f"golden logits differ by {difference:.3g} of the largest"
        for difference in differences
        if difference > TOLERANCE
    ]
    return Gate("server", not figures["problems"], figures)


def _answer(number: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the outputs of a request by name; empty if it was refused."""
    begin = f"{number}/"
    names = {key.removeprefix(begin).partition("/")[0] for key in arrays if key.startswith(begin)}
    return {name: server_loader.unpacked(begin + name, arrays) for name in names}


def _faults(request: Request, answer: dict[str, np.ndarray], classes: int) -> Iterator[str]:
    """Yield what is wrong with the outputs of a request."""
    rows = len(next(iter(request.inputs.values())))
    unfit = [
        f"{name} are not {form}"
        for name, tensor in contract.SIGNATURES[request.signature].outputs.items()
        if (form := _unfit(tensor, answer.get(name), rows, classes))
    ]
    yield from unfit
    if unfit or request.signature != contract.SERVE_BYTES_SAFE:
        return
    refused = tuple(np.flatnonzero(answer[contract.STATUS] != b""))
    if refused != request.refused:
        yield f"images {list(map(int, refused))} of {rows} are refused, not {list(request.refused)}"
    elif np.any(answer[contract.LOGITS][list(refused)]):
        yield "an image that is refused has logits other than 0"


def _costs(requests: list[Request], document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the highest costs of hostile requests with their bounds, and the requests that exceed them."""
    costs = list(zip(requests, document["cpu_seconds"], document["memory"], strict=True))
    valid = [cost for cost in costs if cost[0].expected == "answer" and not cost[0].hostile]
    seconds = HOSTILE_SECONDS + max((cost[1] for cost in valid), default=0)
    memory = HOSTILE_BYTES + max((cost[2] for cost in valid), default=0)
    bad = [cost for cost in costs if cost[0].hostile]
    problems = [
        f"'{request.name}' took {spent:.1f} CPU s and {grown / 2**20:.0f} MiB, more than {seconds:.1f} s or "
        f"{memory / 2**20:.0f} MiB"
        for request, spent, grown in bad
        if spent > seconds or grown > memory
    ]
    figures = {
        "cpu_seconds": round(max((cost[1] for cost in bad), default=0), 3),
        "cpu_seconds_limit": round(seconds, 3),
        "bytes": max((cost[2] for cost in bad), default=0),
        "bytes_limit": memory,
    }
    return figures, problems


def last_words(error_output: bytes | None) -> tuple[str, str]:
    """Return the last step that the loader announced, and the line after it that matters: a fatal one, or the last."""
    doing, said = "start", ["no output"]
    for line in (error_output or b"").decode(errors="replace").splitlines():
        if line.startswith(server_loader.PROGRESS):
            doing, said = line.removeprefix(server_loader.PROGRESS), ["no output"]
        elif line.strip():
            said.append(line)
    return doing, next((line for line in said if re.match(FATAL, line)), said[-1])


def first_line(message: str) -> str:
    """Return the first line of a message of TensorFlow's."""
    return (message.splitlines() or [""])[0]


def _texts(*values: bytes) -> np.ndarray:
    """Return a string tensor [values], as an object array of bytes."""
    return np.array(values, object)


def _unfit(tensor: Tensor, value: np.ndarray | None, rows: int, classes: int) -> str | None:
    """Return the type and shape that an output should have; None if it has them."""
    top = min(contract.TOP, classes)
    wanted = tensor.sized({contract.BATCH: rows, contract.CLASS_COUNT: classes, contract.TOP_COUNT: top})
    finite = value is not None and (value.dtype == object or bool(np.isfinite(value).all()))
    if value is not None and finite and wanted.fits(value):
        return None
    return f"{'strings' if wanted.dtype == 'string' else f'finite {wanted.dtype}'} {list(wanted.shape)}"


def _fits(value: np.ndarray, shape: tuple[int, ...]) -> bool:
    return value.dtype == np.float32 and value.shape == shape and bool(np.isfinite(value).all())
