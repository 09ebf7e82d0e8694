"""One protocol, several runtimes: from raw pixels to the contract's outputs."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo.artifact import ONNX_FILES, SAVED_MODEL, read
from zoo.contract import BATCH, IMAGE, OUTPUTS, SERVE
from zoo.description import Model
from zoo.errors import Refused, ZooError, did_you_mean
from zoo.provenance import usable_cpus
from zoo.serving.signature import Signature, departures, tensor
from zoo.tensorflow_setup import wake_tensorflow

LIBRARIES: dict[str, str] = {**dict.fromkeys(ONNX_FILES, "onnxruntime"), "saved_model": "tensorflow"}
"""What each runtime imports."""


class Runner(Protocol):
    """A model that is open and answers."""

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """`logits` and `probabilities`, float32 [batch, classes], of uint8 pixels [batch, height, width, channels].

        Raises:
            ZooError: the pixels have another dtype or shape, or there are none.
            Refused: the runtime cannot answer.
        """
        ...


def open_runner(artifact: Path, runtime: str, *, threads: int | None = None) -> Runner:
    """Open one format of an artifact on the CPU; `threads` are the usable CPUs when not given.

    Raises:
        ZooError: there is no artifact, it lacks this format, or the threads cannot be had.
        Refused: its file is damaged or departs from the contract.
    """
    if runtime not in LIBRARIES:
        raise ZooError(f"there is no runtime '{runtime}': {did_you_mean(runtime, LIBRARIES)}")
    if threads is not None and threads < 1:
        raise ZooError(f"{threads} threads cannot work: ask for at least 1")
    manifest = read(artifact)
    if runtime not in manifest.formats:
        raise ZooError(f"{artifact} has no {runtime}, only {', '.join(manifest.formats)}: export it with that format")
    for kind, file in ONNX_FILES.items():
        if kind == runtime:
            return _open_onnx(artifact / file, manifest.model, threads)
    return SavedModelRunner(artifact, manifest.model, threads)


def library(runtime: str) -> Any:
    """Import the library of a runtime, TensorFlow with no log below errors.

    Raises:
        ZooError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        if runtime == "saved_model":
            # A server has the allocator that TensorFlow chooses: what is measured here should too.
            os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "0")
            wake_tensorflow()
        return importlib.import_module(LIBRARIES[runtime])
    except ModuleNotFoundError as error:
        raise ZooError(
            f"{runtime} needs {error.name}, which is not installed: install it, or use another runtime"
        ) from None


def onnx_session(path: Path, threads: int | None = None) -> Any:
    """An onnxruntime session on the CPU.

    Raises:
        Refused: the file cannot be loaded.
    """
    onnxruntime = library("onnx")
    options = onnxruntime.SessionOptions()
    # Left alone, it takes as many threads as the machine has CPUs, whatever this process may use.
    options.intra_op_num_threads = threads or usable_cpus()
    options.inter_op_num_threads = 1
    # Threads that spin between requests take the CPUs from whatever else runs. Without, latency was half of that with
    # beside TensorFlow, 0.6 to 0.8 of it on a busy machine, up to a tenth more on an idle one, and a quarter more for a
    # network of 0.2 ms (onnxruntime 1.31, two threads on two CPUs).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What goes wrong is raised; the log would say it a second time.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # also UnicodeDecodeError, from a damaged name (onnxruntime 1.31)
        raise Refused(f"{path} cannot be loaded ({_one_line(error)}): export again") from None


def onnx_signature(session: Any) -> Signature:
    """What an onnxruntime session takes and gives."""
    words = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}

    def described(values: Any) -> dict[str, str]:
        return {value.name: tensor(words.get(value.type, value.type), value.shape) for value in values}

    return Signature(described(session.get_inputs()), described(session.get_outputs()))


def _open_onnx(path: Path, model: Model, threads: int | None) -> OnnxRunner:
    session = onnx_session(path, threads)
    _refuse_departures(path, onnx_signature(session), model)
    return OnnxRunner(session, model)


class OnnxRunner:
    """onnxruntime on the CPU, around a session of the contract; TensorFlow is not imported."""

    def __init__(self, session: Any, model: Model) -> None:
        self._session = session
        self._shape = model.preprocessing.shape

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """See `Runner`."""
        _check_pixels(pixels, self._shape)
        try:
            answers = self._session.run(OUTPUTS, {IMAGE: pixels})
        except Exception as error:
            raise Refused(f"onnxruntime cannot answer ({_one_line(error)})") from None
        return dict(zip(OUTPUTS, answers, strict=True))


class SavedModelRunner:
    """TensorFlow on the CPU, through `serving_default` of the latest version, as TF Serving would answer.

    Raises:
        ZooError: TensorFlow has started already in this process with other threads than those asked for.
        Refused: the SavedModel cannot be loaded or departs from the contract.
    """

    def __init__(self, artifact: Path, model: Model, threads: int | None) -> None:
        self._tf = library("saved_model")
        _configure(self._tf, threads)
        folder = latest_version(artifact / SAVED_MODEL)
        try:
            # The signature alone does not keep the variables alive (tensorflow 2.21).
            self._model = self._tf.saved_model.load(str(folder))
            self._serve = self._model.signatures[SERVE]
            found = _saved_model_signature(self._serve)
        except Exception as error:  # OSError, OpError, ValueError, KeyError or DecodeError, by what is damaged
            raise Refused(f"{folder} cannot be loaded ({_one_line(error)}): export again") from None
        _refuse_departures(folder, found, model)
        self._shape = model.preprocessing.shape

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """See `Runner`."""
        _check_pixels(pixels, self._shape)
        try:
            answers = self._serve(**{IMAGE: self._tf.constant(pixels)})
            return {name: answers[name].numpy() for name in OUTPUTS}
        except Exception as error:
            raise Refused(f"TensorFlow cannot answer ({_one_line(error)})") from None


def latest_version(base: Path) -> Path:
    """The folder of the highest version below a SavedModel's base path: the one that TF Serving would answer with.

    Raises:
        Refused: there is none.
    """
    versions = [path for path in base.glob("*") if path.name.isdecimal() and path.is_dir()]
    if not versions:
        raise Refused(f"{base} holds no version folder: export again")
    return max(versions, key=lambda path: int(path.name))


def _configure(tf: Any, threads: int | None) -> None:
    """Settle devices and threads, which TensorFlow takes only before it starts."""
    try:
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads or usable_cpus())
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        if threads is not None:
            raise ZooError(
                f"TensorFlow has started in this process with other settings than {threads} threads on the CPU: "
                "use a fresh process, or leave the number of threads open"
            ) from None


def _saved_model_signature(serve: Any) -> Signature:
    def described(specs: dict[str, Any]) -> dict[str, str]:
        sizes = {name: list(spec.shape) for name, spec in specs.items()}
        # TensorFlow does not name the open dimension.
        opened = {name: [BATCH, *rest] if first is None else [first, *rest] for name, (first, *rest) in sizes.items()}
        return {name: tensor(spec.dtype.name, opened[name]) for name, spec in specs.items()}

    return Signature(described(serve.structured_input_signature[1]), described(serve.structured_outputs))


def _refuse_departures(path: Path, found: Signature, model: Model) -> None:
    wrong = departures(found, model)
    if wrong:
        raise Refused(f"{path} departs from the contract: {'; '.join(wrong)}: export again")


def _check_pixels(pixels: np.ndarray, shape: tuple[int, int, int]) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != shape or not len(pixels):
        raise ZooError(
            f"the pixels are {tensor(pixels.dtype.name, pixels.shape)}, not {tensor('uint8', [BATCH, *shape])}: "
            "zoo.preprocess.pixels_from_bytes makes them"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
