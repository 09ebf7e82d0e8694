"""A process that loads a SavedModel as TF Serving does and answers requests, through TensorFlow's C API and ctypes.

    python -m zoo.export.tf_serving.server_loader JOB.json

It imports no Python code of TensorFlow, which would register operations and kernels that the server does not have.
`zoo.export.tf_serving.server_check` writes the job and reads the results: one JSON document on standard output, and the
answers in a file beside the job. Before each step the process writes a line to standard error that begins with
`PROGRESS`, so that its parent knows at which step it died.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.child_process import own_output

PROGRESS = "server_loader: "
LOADING, UNLOADING = "load", "unload"

REQUESTS, ANSWERS = "requests.npz", "answers.npz"
"""Files beside the job. Their arrays are named `NUMBER/INPUT` and `NUMBER/OUTPUT`, by the request's place in it."""

LENGTHS, BYTES = "/lengths", "/bytes"
"""Suffixes of the two arrays that store a string tensor without pickle: int64 lengths, and all bytes as uint8."""

STRING = 7
TYPES: dict[int, type] = {1: np.float32, 3: np.int32, 4: np.uint8, 9: np.int64, 19: np.float16, STRING: object}
"""numpy types by their numbers in TensorFlow's types.proto; strings are object arrays of bytes."""

BYTES_OF_A_STRING = 24
"""sizeof(TF_TString)."""

DISABLE_XLA = "_ZN10tensorflow21DisableXlaCompilationEv"
"""The mangled name of tensorflow::DisableXlaCompilation(), a C++ function that the server calls by default (2.21)."""


class AnswerError(Exception):
    """TensorFlow returned an error status; the message is TensorFlow's."""


class _Output(ctypes.Structure):
    """TF_Output: one output of an operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_POINTER, _SIZE, _TEXT, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
_OUTPUTS, _TENSORS, _TEXTS = (ctypes.POINTER(pointee) for pointee in (_Output, _POINTER, _TEXT))

# Argument and result types of each function (tensorflow/c: c_api.h, tf_tensor.h, tf_status.h, tf_tstring.h).
_FUNCTIONS: dict[str, tuple[tuple[Any, ...], Any]] = {
    DISABLE_XLA: ((), None),
    "TF_NewStatus": ((), _POINTER),
    "TF_GetCode": ((_POINTER,), _INT),
    "TF_Message": ((_POINTER,), _TEXT),
    "TF_NewGraph": ((), _POINTER),
    "TF_GraphOperationByName": ((_POINTER, _TEXT), _POINTER),
    "TF_NewSessionOptions": ((), _POINTER),
    "TF_LoadSessionFromSavedModel": (
        (_POINTER, _POINTER, _TEXT, _TEXTS, _INT, _POINTER, _POINTER, _POINTER),
        _POINTER,
    ),
    "TF_SessionRun": (
        (_POINTER, _POINTER, _OUTPUTS, _TENSORS, _INT, _OUTPUTS, _TENSORS, _INT, _POINTER, _INT, _POINTER, _POINTER),
        None,
    ),
    "TF_CloseSession": ((_POINTER, _POINTER), None),
    "TF_DeleteSession": ((_POINTER, _POINTER), None),
    "TF_AllocateTensor": ((_INT, ctypes.POINTER(ctypes.c_int64), _INT, _SIZE), _POINTER),
    "TF_DeleteTensor": ((_POINTER,), None),
    "TF_TensorData": ((_POINTER,), _POINTER),
    "TF_TensorType": ((_POINTER,), _INT),
    "TF_TensorByteSize": ((_POINTER,), _SIZE),
    "TF_NumDims": ((_POINTER,), _INT),
    "TF_Dim": ((_POINTER, _INT), ctypes.c_int64),
    "TF_StringInit": ((_POINTER,), None),
    "TF_StringCopy": ((_POINTER, _TEXT, _SIZE), None),
    "TF_StringDealloc": ((_POINTER,), None),
    "TF_StringGetDataPointer": ((_POINTER,), _POINTER),
    "TF_StringGetSize": ((_POINTER,), _SIZE),
}


class Server:
    """A SavedModel that is loaded as TF Serving loads it."""

    def __init__(self, libraries: list[str], folder: str, tag: str, signatures: dict[str, Any]) -> None:
        """Load TensorFlow's libraries and a SavedModel.

        Args:
            libraries: paths of shared libraries, each after those that it needs.
            folder: the version folder.
            tag: the tag of the graph to load.
            signatures: for each signature `inputs` and `outputs`, which map public names to tensors of the graph.

        Raises:
            AnswerError: TensorFlow cannot load the SavedModel.
            OSError, AttributeError: a library cannot be loaded, or lacks one of the functions.
        """
        for path in libraries:
            # The last library also finds the functions of those that it needs.
            self._library: Any = ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        for name, (taken, returned) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = taken, returned
        self._signatures = signatures
        getattr(self._library, DISABLE_XLA)()
        self._status, self._graph = self._library.TF_NewStatus(), self._library.TF_NewGraph()
        options, tags = self._library.TF_NewSessionOptions(), (_TEXT * 1)(tag.encode())
        self._session = self._library.TF_LoadSessionFromSavedModel(
            options, None, os.fsencode(folder), tags, 1, self._graph, None, self._status
        )
        self._check()

    def answer(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Answer a request with the outputs of a signature, by name.

        Raises:
            AnswerError: there is no such signature or input, or the model refuses the request.
        """
        if signature not in self._signatures:
            raise AnswerError(f"no signature '{signature}'")
        names = self._signatures[signature]
        if inputs.keys() != names["inputs"].keys():
            raise AnswerError(f"{signature} takes {sorted(names['inputs'])}, not {sorted(inputs)}")
        outputs = names["outputs"]
        fetched = (_POINTER * len(outputs))()
        with contextlib.ExitStack() as stack:
            fed = (_POINTER * len(inputs))(*(stack.enter_context(self._tensor(value)) for value in inputs.values()))
            input_handles = (_Output * len(inputs))(*(self._output(names["inputs"][name]) for name in inputs))
            output_handles = (_Output * len(outputs))(*(self._output(name) for name in outputs.values()))
            self._library.TF_SessionRun(
                *(self._session, None),
                *(input_handles, fed, len(inputs)),
                *(output_handles, fetched, len(outputs)),
                *(None, 0, None, self._status),
            )
            self._check()
            return {name: self._taken(tensor) for name, tensor in zip(outputs, fetched, strict=True)}

    def close(self) -> None:
        """Unload the SavedModel, as the server unloads an old version."""
        for step in (self._library.TF_CloseSession, self._library.TF_DeleteSession):
            step(self._session, self._status)
            self._check()

    def _check(self) -> None:
        if self._library.TF_GetCode(self._status):
            raise AnswerError(self._library.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        handle = self._library.TF_GraphOperationByName(self._graph, operation.encode())
        if not handle:
            raise AnswerError(f"the graph has no operation '{operation}'")
        return _Output(handle, int(index or 0))

    @contextlib.contextmanager
    def _tensor(self, value: np.ndarray) -> Iterator[int]:
        """Allocate a TF_Tensor with a copy of `value`; it is freed at the end of the block."""
        library, texts = self._library, list(value.flat) if value.dtype == object else []
        number = next((number for number, dtype in TYPES.items() if value.dtype == dtype), None)
        if number is None:
            raise AnswerError(f"this check does not send inputs of numpy's type {value.dtype}")
        size = BYTES_OF_A_STRING * value.size if number == STRING else value.nbytes
        tensor = library.TF_AllocateTensor(number, (ctypes.c_int64 * value.ndim)(*value.shape), value.ndim, size)
        data = library.TF_TensorData(tensor)
        strings = [data + BYTES_OF_A_STRING * index for index in range(len(texts))]
        for string, text in zip(strings, texts, strict=True):
            library.TF_StringInit(string)
            library.TF_StringCopy(string, text, len(text))
        if number != STRING and size:
            ctypes.memmove(data, np.ascontiguousarray(value).ctypes.data, size)
        try:
            yield tensor
        finally:
            # TF_DeleteTensor frees the tensor's buffer, but not the memory that long strings in it point to (2.21).
            for string in strings:
                library.TF_StringDealloc(string)
            library.TF_DeleteTensor(tensor)

    def _taken(self, tensor: int) -> np.ndarray:
        """Copy a fetched tensor to an array, an object array of bytes for strings, and free it."""
        library = self._library
        number, size = library.TF_TensorType(tensor), library.TF_TensorByteSize(tensor)
        shape = [library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor))]
        data = library.TF_TensorData(tensor)
        try:
            if number == STRING:
                texts = [self._text(data + BYTES_OF_A_STRING * index) for index in range(math.prod(shape))]
                return np.array([*texts, None], object)[:-1].reshape(shape)
            if number not in TYPES:
                raise AnswerError(f"this check does not read outputs of TensorFlow's type {number}")
            content = ctypes.string_at(data, size) if size else b""
            return np.frombuffer(content, TYPES[number]).reshape(shape)
        finally:
            # A fetched tensor owns its strings, and frees them, too.
            library.TF_DeleteTensor(tensor)

    def _text(self, string: int) -> bytes:
        """Copy the bytes of a TF_TString."""
        size = self._library.TF_StringGetSize(string)
        return ctypes.string_at(self._library.TF_StringGetDataPointer(string), size) if size else b""


def packed(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays that store a tensor in `REQUESTS` or `ANSWERS`; the inverse of `unpacked`."""
    if value.dtype != object:
        return {name: value}
    lengths = np.array([len(text) for text in value.flat], np.int64).reshape(value.shape)
    return {name + LENGTHS: lengths, name + BYTES: np.frombuffer(b"".join(value.flat), np.uint8)}


def unpacked(name: str, arrays: Any) -> np.ndarray:
    """Return the tensor that `packed` stored under `name`."""
    if name in arrays:
        return np.asarray(arrays[name])
    lengths, content = arrays[name + LENGTHS], arrays[name + BYTES].tobytes()
    ends = np.cumsum(lengths)
    tensor = np.empty(lengths.size, object)
    for index, (end, length) in enumerate(zip(ends.flat, lengths.flat, strict=True)):
        tensor[index] = content[end - length : end]
    return tensor.reshape(lengths.shape)


def main(job_file: Path) -> dict[str, Any]:
    """Load the job's `saved_model`, run its `requests`, and try to load its `incomplete` version folders.

    Returns:
        `load_error` alone if the SavedModel does not load. Otherwise `load_seconds`, and lists with an entry for each
        request: `errors` (TensorFlow's message, None for an answer), `seconds` (wall time), `cpu_seconds` (processor
        time) and `memory` (the most bytes by which the process grew). `incomplete` maps the name of each such folder to
        TensorFlow's message, or to None if it was loaded.
    """
    job = json.loads(job_file.read_text(encoding="utf-8"))
    _progress(LOADING)
    started = time.monotonic()
    try:
        server = Server(job["libraries"], job["saved_model"], job["tag"], job["signatures"])
    except (AnswerError, AttributeError, OSError) as error:
        return {"load_error": str(error)}
    loaded = time.monotonic()
    errors: list[str | None] = []
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    memory: list[int] = []
    answers: dict[str, np.ndarray] = {}
    with np.load(job_file.with_name(REQUESTS), allow_pickle=False) as arrays:
        for number, request in enumerate(job["requests"]):
            _progress(request["name"])
            inputs = {name: unpacked(f"{number}/{name}", arrays) for name in request["inputs"]}
            resident_bytes, wall_start, processor_start = _reset_peak(), time.monotonic(), time.process_time()
            try:
                outputs = server.answer(request["signature"], inputs)
            except AnswerError as error:
                errors.append(str(error))
            else:
                errors.append(None)
                for name, value in outputs.items():
                    answers |= packed(f"{number}/{name}", value)
            seconds.append(time.monotonic() - wall_start)
            cpu_seconds.append(time.process_time() - processor_start)
            memory.append(max(0, _kilobytes("VmHWM") * 1024 - resident_bytes))
    _progress(UNLOADING)
    server.close()
    np.savez(job_file.with_name(ANSWERS), **answers)  # type: ignore[arg-type]
    costs = {"seconds": seconds, "cpu_seconds": cpu_seconds, "memory": memory}
    incomplete = {}
    for name, folder in job["incomplete"].items():
        _progress(f"{LOADING}, {name}")
        incomplete[name] = _load_error(job, folder)
    return {"load_seconds": loaded - started, "errors": errors, "incomplete": incomplete, **costs}


def _load_error(job: dict[str, Any], folder: str) -> str | None:
    """Return why a version folder does not load, with paths relative to it; None if it does."""
    try:
        Server(job["libraries"], folder, job["tag"], job["signatures"]).close()
    except AnswerError as error:
        return str(error).replace(f"{folder}/", "")
    return None


def _reset_peak() -> int:
    """Return the resident bytes of this process, and reset its peak."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _kilobytes("VmRSS") * 1024


def _kilobytes(name: str) -> int:
    """Return an entry of this process's status in kilobytes; 0 on systems without /proc."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
    return 0


def _progress(step: str) -> None:
    print(f"{PROGRESS}{step}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # A bad model may kill this process, which should not leave a core file in the user's folder.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A graph may print to standard output.
    with own_output() as document:
        json.dump(main(Path(sys.argv[1])), document)
