"""The gate `server`: loads a SavedModel as TF Serving does, and checks that it answers, refuses and survives requests.

It runs without the server. The SavedModel is moved to another folder, where no path of this machine leads back to it,
and loaded in a process of its own by `zoo.export.tf_serving.server_loader`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import contract, files
from zoo.artifact import Gate
from zoo.child_process import PYTHON_MODULE
from zoo.contract import CLASSIFY, EXAMPLES, SERVE, SERVE_LABELS, STATUS, TOLERANCE
from zoo.description import Model
from zoo.errors import ZooError
from zoo.export.batches import forms, part, size
from zoo.export.tf_serving import rules, server_loader, warmup
from zoo.export.tf_serving.load_check import incomplete_copies
from zoo.export.tf_serving.top_labels import serialized_examples
from zoo.input import Arrays, kind_of
from zoo.signature import Signature, Tensor
from zoo.task import task_of
from zoo.tensorflow_setup import KERNELS, server_environment

LIMIT_SECONDS = 600.0
"""Wall time after which the process is stopped and the gate fails."""

HOSTILE_SECONDS, HOSTILE_BYTES = 5.0, 2**30
"""Processor time and memory that a hostile example may take beyond the most expensive valid request."""

MOST_INPUTS = 8
"""The most inputs of a signature that get wrong values, one at a time; a table has an input for each column."""

LIBRARIES = ("libtensorflow_framework", "libtensorflow_cc")
"""Libraries of TensorFlow's wheel, in the order in which they have to be loaded."""

FATAL = r"F\d{4} |.*: F tensorflow/"
"""The beginning of the line that TensorFlow logs before it aborts, in version 2.21 and before it used absl's log."""


@dataclass(frozen=True)
class Request:
    """A request and the correct reaction to it.

    Attributes:
        name: a description for messages.
        signature: the signature that it uses.
        inputs: arrays by name; strings are object arrays of bytes.
        expected: whether it has to be answered or refused, or either is fine as long as the process survives.
        primary: the expected primary output, if it is known.
        refused: positions in the batch of the examples that the output `status` has to refuse, with a reason.
        hostile: whether it is held to `HOSTILE_SECONDS` and `HOSTILE_BYTES`.
    """

    name: str
    signature: str
    inputs: Arrays
    expected: Literal["answer", "refusal", "either"] = "answer"
    primary: np.ndarray | None = None
    refused: tuple[int, ...] = ()
    hostile: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of the process: its document and the outputs of each request by name, or the problem that ended it."""

    document: dict[str, Any]
    answers: list[dict[str, np.ndarray]]
    problem: str | None = None


@dataclass(frozen=True)
class Checked:
    """The gate `server`, and for each further request by name its outputs, or the reason why there are none."""

    gate: Gate
    answers: dict[str, Arrays | str]


def check(
    base: Path,
    golden: Mapping[str, np.ndarray],
    description: Model,
    sample: Any,
    further: Sequence[Request] = (),
    *,
    limit_seconds: float = LIMIT_SECONDS,
) -> Checked:
    """Run the gate `server`: with XLA off, the model answers valid requests, refuses invalid ones, and survives both.

    Args:
        base: the folder of BASE/VERSION/saved_model.pb.
        golden: inputs of the contract, and the outputs for them.
        description: the model.
        sample: a raw example that the model answers.
        further: more valid requests, whose answers are returned.
        limit_seconds: wall time after which the process is stopped and the gate fails.

    Raises:
        ZooError: `golden` is not as described, or TensorFlow's libraries are missing. A bad model raises nothing.
    """
    serve = contract.of_every_format(description)
    inputs = {key: golden[key] for key in serve.inputs}
    answers = {key: golden[key] for key in serve.outputs if key in golden}
    fit = warmup.fits(inputs, serve.inputs) and all(value.shape[:1] == (size(inputs),) for value in answers.values())
    fit = fit and all(serve.outputs[key].fits(value) and np.isfinite(value).all() for key, value in answers.items())
    if not fit:
        golden_forms = forms({**inputs, **answers})
        raise ZooError(f"golden values do not belong together, or do not fit {serve.described()}: {golden_forms}")
    primary = task_of(description).primary(answers, description)
    try:
        version = rules.version_folder(base)
        names = tensor_names(rules.read_meta_graph(version))
        valid = valid_requests(warmup.read_warmup(version), inputs, primary)
        files.files_below(version)  # refuses links, which could lead back here
    except ZooError as error:
        return _unanswered(str(error), {"problems": [str(error)]}, further)
    valid_batches = valid_inputs(description, part(inputs, slice(1)), sample)
    between = [
        *empty_requests(valid_batches),
        *invalid_requests(contract.signatures(description), valid_batches),
        *damaged_requests(description, sample),
        *hostile_requests(description, sample),
    ]
    requests = [*valid, *further, *between, *repeated_requests(valid, inputs, primary)]
    outcome = run_loader(version, names, requests, limit_seconds)
    gate = judge(requests, outcome, description)
    if outcome.problem:
        return _unanswered(outcome.problem, gate.figures, further)
    return Checked(gate, _answers_to(further, outcome, len(valid)))


def _answers_to(further: Sequence[Request], outcome: Outcome, first_number: int) -> dict[str, Arrays | str]:
    """Return the outputs or the error of each further request; `first_number` is the number of the first one."""
    answers: dict[str, Arrays | str] = {}
    for number, request in enumerate(further, first_number):
        error = outcome.document["errors"][number]
        answers[request.name] = outcome.answers[number] if error is None else first_line(error)
    return answers


def _unanswered(problem: str, figures: dict[str, Any], further: Sequence[Request]) -> Checked:
    """Return a failed gate, where no request was answered because of a problem."""
    return Checked(Gate("server", False, figures), {request.name: problem for request in further})


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


def valid_requests(warm_up: list[tuple[str, Arrays]], inputs: Arrays, primary: np.ndarray) -> list[Request]:
    """List the warm-up requests in their order, and the golden one."""
    replayed = [Request(f"warm-up {number}", name, batch) for number, (name, batch) in enumerate(warm_up, 1)]
    return [*replayed, Request("golden", SERVE, inputs, primary=primary)]


def repeated_requests(valid: list[Request], inputs: Arrays, primary: np.ndarray) -> list[Request]:
    """List valid requests to repeat after the invalid ones: the first for each signature, and one golden example."""
    first = {request.signature: request for request in reversed(valid)}
    again = [Request(f"{request.name}, again", request.signature, request.inputs) for request in first.values()]
    return [*again, Request("golden, again", SERVE, part(inputs, slice(1)), primary=primary[:1])]


def valid_inputs(description: Model, inputs: Arrays, sample: Any) -> dict[str, Arrays]:
    """Return a valid batch of one example for each signature: `inputs` of the contract, and the raw `sample`."""
    raw = kind_of(description.preprocessing).client.raw_arrays([sample], description.preprocessing)
    batches = dict.fromkeys(contract.signatures(description), raw) | {SERVE: inputs}
    return batches | ({CLASSIFY: {EXAMPLES: serialized_examples(raw)}} if CLASSIFY in batches else {})


def empty_requests(ones: Mapping[str, Arrays]) -> list[Request]:
    """List empty batches, to be answered with empty outputs; `ones` are valid batches by signature."""
    return [Request(f"an empty batch for {name}", name, part(batch, slice(0))) for name, batch in ones.items()]


def hostile_requests(description: Model, sample: Any) -> list[Request]:
    """List requests with hostile examples, alone and in one batch with a sound one."""
    kind = kind_of(description.preprocessing)
    refused, costly = kind.data.hostile()

    def request(name: str, signature: str, *raw: Any, **options: Any) -> Request:
        return Request(name, signature, kind.client.raw_arrays(raw, description.preprocessing), **options, hostile=True)

    refused_examples = list(refused.values())
    middle = len(refused_examples) // 2
    return [
        *(request(name, kind.raw, example, expected="refusal") for name, example in refused.items()),
        *(request(name, kind.raw, example, expected="either") for name, example in costly.items()),
        request(
            f"a sound {kind.noun} beside all that are refused",
            kind.raw_safe,
            *refused_examples[:middle],
            sample,
            *refused_examples[middle:],
            refused=(*range(middle), *range(middle + 1, len(refused_examples) + 1)),
        ),
    ]


def damaged_requests(description: Model, sample: Any) -> list[Request]:
    """List requests with damaged examples; where there is an output `status`, it has to refuse the damaged one."""
    kind = kind_of(description.preprocessing)
    labeled = SERVE_LABELS in contract.signatures(description)
    requests = []
    for name, damaged in kind.data.damaged(sample, description.preprocessing).items():
        pair_name = f"{name}, beside a sound {kind.noun}"
        alone, pair = (kind.client.raw_arrays(raw, description.preprocessing) for raw in ([damaged], [sample, damaged]))
        requests += [
            Request(name, kind.raw, alone, "refusal"),
            Request(pair_name, kind.raw, pair, "refusal"),
            Request(f"{name}, safe", kind.raw_safe, alone, refused=(0,)),
            Request(f"{pair_name}, safe", kind.raw_safe, pair, refused=(1,)),
        ]
        requests += [Request(f"{name}, to be labeled", SERVE_LABELS, alone, "refusal")] * labeled
    return requests


def invalid_requests(signatures: Mapping[str, Signature], ones: Mapping[str, Arrays]) -> list[Request]:
    """List requests whose inputs have other types and shapes than the signatures; `ones` are valid batches of one."""
    requests = [
        Request(f"{signature} {key}: {name}", signature, {**batch, key: value}, "refusal")
        for signature, batch in ones.items()
        for key in list(batch)[:MOST_INPUTS]
        for name, value in wrong_values(key, signatures[signature].inputs, batch[key])
    ]
    if CLASSIFY in signatures:
        for name, value in (("bytes that are no Example", b"no Example"), ("an Example without features", b"")):
            requests.append(Request(name, CLASSIFY, {EXAMPLES: np.array([value], object)}, "refusal"))
    return requests


def wrong_values(key: str, tensors: Mapping[str, Tensor], value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield wrong values for an input, each with its name; `value` is a valid batch of one example."""
    tensor, text = tensors[key], value.dtype == object
    yield "a scalar", value.reshape(-1)[:1].reshape(())
    if value.ndim > 1:
        yield "numbers", np.ones(2, value.dtype)  # {"instances": [1.0, 2.0]}
        yield "an example without a batch", value[0]
    yield "a dimension too many", value[None]
    for axis, length in enumerate(tensor.shape[1:], 1):
        for wrong in (length + 1, length - 1) if isinstance(length, int) else ():
            shape = (*value.shape[:axis], wrong, *value.shape[axis + 1 :])
            yield f"{wrong} in place of {length} in dimension {axis}", np.zeros(shape, value.dtype)
    if text:
        yield "numbers for strings", np.array([1, 2], np.uint8)
    else:
        other = np.int64 if value.dtype == np.float32 else np.float32
        yield f"{np.dtype(other)} for {value.dtype}", np.zeros(value.shape, other)
        yield "strings for numbers", np.array([b"text"], object)
    for axis, dimension in enumerate(tensor.shape):
        shared = [name for name, other_input in tensors.items() if name != key and dimension in other_input.shape]
        if isinstance(dimension, str) and shared:
            yield (
                f"one more than {shared[0]} in '{dimension}'",
                np.repeat(value, [*[1] * (value.shape[axis] - 1), 2], axis),
            )


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
        command = [*PYTHON_MODULE, "zoo.export.tf_serving.server_loader", str(job_file)]
        # On the CPU, because this process may hold all GPU memory. With oneDNN, which TensorFlow (2.21) otherwise uses
        # only on processors with AVX-512 VNNI, as the server's may be: its kernels abort where Eigen's refuse.
        environment = {**KERNELS, **server_environment(), "CUDA_VISIBLE_DEVICES": "-1"}
        try:
            process = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_seconds
            )
        except subprocess.TimeoutExpired as stopped:
            step, _ = last_words(stopped.stderr)
            return Outcome({}, [], f"did not end within {limit_seconds:g} s: it was at '{step}'")
        step, message = last_words(process.stderr)
        if process.returncode < 0:
            signal_name = signal.Signals(-process.returncode).name
            return Outcome({}, [], f"the process died of {signal_name} at '{step}': {message}")
        if process.returncode:
            return Outcome({}, [], f"the process ended with {process.returncode} at '{step}': {message}")
        document = json.loads(process.stdout)
        if "load_error" in document:
            return Outcome(document, [], f"does not load: {first_line(document['load_error'])}")
        with np.load(job_file.with_name(server_loader.ANSWERS), allow_pickle=False) as answers:
            arrays = dict(answers)
        return Outcome(document, [_answer(number, arrays) for number in range(len(requests))])


@contextlib.contextmanager
def moved(folder: Path) -> Iterator[Path]:
    """Move a folder to another name beside it, and back at the end of the block."""
    with tempfile.TemporaryDirectory(prefix=".moved-", dir=folder.parent.parent) as scratch:
        elsewhere = folder.rename(Path(scratch, "elsewhere"))
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
    paths = [min(map(str, folder.glob(f"{name}.*")), default="") for name in LIBRARIES]
    if not all(paths):
        raise ZooError(f"{folder} has no {' or no '.join(LIBRARIES)}: install the package tensorflow from PyPI")
    return paths


def judge(requests: list[Request], outcome: Outcome, description: Model) -> Gate:
    """Judge an outcome: valid requests have to be answered correctly, and invalid ones refused."""
    figures: dict[str, Any] = {"tolerance": TOLERANCE, "answered": 0, "refused": {}, "problems": []}
    if outcome.problem:
        figures["problems"] = [outcome.problem]
        return Gate("server", False, figures)
    signatures, task = contract.signatures(description), task_of(description)
    safe = kind_of(description.preprocessing).raw_safe
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
            wrong = [*_faults(request, answer, signatures[request.signature])]
            if not wrong and request.signature == safe:
                wrong += _wrong_refusals(request, answer, task.primary(answer, description))
            figures["problems"] += [f"'{request.name}': {problem}" for problem in wrong]
            if request.primary is not None and not wrong:
                yardstick = task.yardstick(request.primary, description)
                differences.append(yardstick.largest(task.primary(answer, description), request.primary))
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
        f"golden answers differ by {difference:.3g} of the largest answer, more than {TOLERANCE:g}"
        for difference in differences
        if difference > TOLERANCE
    ]
    return Gate("server", not figures["problems"], figures)


def _answer(number: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the outputs of a request by name; empty if it was refused."""
    begin = f"{number}/"
    names = {key.removeprefix(begin).partition("/")[0] for key in arrays if key.startswith(begin)}
    return {name: server_loader.unpacked(begin + name, arrays) for name in names}


def _faults(request: Request, answer: dict[str, np.ndarray], signature: Signature) -> Iterator[str]:
    """Yield a problem for each output without the type and shape of the signature, or with non-finite numbers."""
    for name, tensor in signature.outputs.items():
        wanted, value = tensor.sized({contract.BATCH: size(request.inputs)}), answer.get(name)
        finite = value is not None and (value.dtype == object or bool(np.isfinite(value).all()))
        if value is None or not finite or not wanted.fits(value):
            expected_values = "strings" if wanted.dtype == "string" else f"finite {wanted.dtype}"
            yield f"{name} are not {expected_values} {list(wanted.shape)}"


def _wrong_refusals(request: Request, answer: dict[str, np.ndarray], primary: np.ndarray) -> Iterator[str]:
    """Yield what is wrong with the status of examples, and with the outputs of those that are refused."""
    refused = tuple(np.flatnonzero(answer[STATUS] != b""))
    if refused != request.refused:
        count = len(answer[STATUS])
        yield f"examples {list(map(int, refused))} of {count} are refused, not {list(request.refused)}"
    elif np.any(primary[list(refused)]):
        yield "an example that is refused has outputs other than 0"


def _costs(requests: list[Request], document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the highest costs of hostile requests with their bounds, and the requests that exceed them."""
    costs = list(zip(requests, document["cpu_seconds"], document["memory"], strict=True))
    valid = [cost for cost in costs if cost[0].expected == "answer" and not cost[0].hostile]
    seconds = HOSTILE_SECONDS + max((cost[1] for cost in valid), default=0)
    memory = HOSTILE_BYTES + max((cost[2] for cost in valid), default=0)
    hostile = [cost for cost in costs if cost[0].hostile]
    problems = [
        f"'{request.name}' took {spent:.1f} CPU s and {grown / 2**20:.0f} MiB, more than {seconds:.1f} s or "
        f"{memory / 2**20:.0f} MiB"
        for request, spent, grown in hostile
        if spent > seconds or grown > memory
    ]
    figures = {
        "cpu_seconds": round(max((cost[1] for cost in hostile), default=0), 3),
        "cpu_seconds_limit": round(seconds, 3),
        "bytes": max((cost[2] for cost in hostile), default=0),
        "bytes_limit": memory,
    }
    return figures, problems


def last_words(error_output: bytes | None) -> tuple[str, str]:
    """Return the last step that the loader announced, and a line after it: the fatal one, or else the last."""
    step, lines = "start", ["no output"]
    for line in (error_output or b"").decode(errors="replace").splitlines():
        if line.startswith(server_loader.PROGRESS):
            step, lines = line.removeprefix(server_loader.PROGRESS), ["no output"]
        elif line.strip():
            lines.append(line)
    return step, next((line for line in lines if re.match(FATAL, line)), lines[-1])


def first_line(message: str) -> str:
    """Return the first line of a TensorFlow message."""
    return (message.splitlines() or [""])[0]
