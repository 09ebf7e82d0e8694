"""ONNX files, opened by onnxruntime on the CPU: float32, int8 and float16. The only module that imports onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo import processor
from zoo.contract import PROBABILITIES, VALUES
from zoo.formats import Format, Session
from zoo.formats._markdown import code_block, inputs_in_python, quoted, shown_output
from zoo.signature import Signature, Tensor

if TYPE_CHECKING:
    import numpy as np

    from zoo.description import Model

ERRORS, NOTHING = 3, 4
"""onnxruntime's log levels: errors and worse, and almost nothing."""

NO_EMPTY_BATCH = "no_empty_batch"
"""The entry of `metadata_props` in files with an operator that crashes on an empty batch.

The operator is LSTM, in onnxruntime up to 1.32. zoo answers an empty batch without onnxruntime; other clients must not
send one.
"""

NO_OVERFLOW = "session.x64quantprecision"
"""The session option with which onnxruntime computes int8 files for VNNI correctly on x86 processors without VNNI. It
changes nothing for files whose weights have seven bits."""

DTYPES = {"tensor(uint8)": "uint8", "tensor(int64)": "int64", "tensor(float)": "float32"}
"""numpy's names for the types of the contract; others keep onnxruntime's."""


def inference_session(
    model: Path | bytes, threads: int | None = None, *, arena: bool = True, spinning: bool = False
) -> Any:
    """Return an `onnxruntime.InferenceSession` on the CPU, with the options of all measurements and comparisons.

    Args:
        model: an ONNX file, or the bytes of one.
        threads: all usable CPUs when None.
        arena: keep memory that was taken for one batch for the next.
        spinning: let idle threads spin, which is faster where nothing else runs.
    """
    import onnxruntime

    from zoo.provenance import usable_cpus

    options = onnxruntime.SessionOptions()
    # By default, onnxruntime takes as many threads as the machine has CPUs, even if this process may use fewer.
    options.intra_op_num_threads = threads or usable_cpus()
    options.inter_op_num_threads = 1
    # Threads that spin between requests take CPU time from everything else that runs. Without spinning, latency is 0.5
    # times as high beside TensorFlow, 0.6 to 0.8 times on a busy machine, up to 1.1 times on an idle one, and 1.25
    # times for a network of 0.2 ms (onnxruntime 1.31, two threads on two CPUs).
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    # Without VNNI, x86 processors add two products of uint8 and int8 in 16 bits, which overflow where weights have
    # eight bits. With this option, onnxruntime (1.32) takes kernels that do not, and are slower. It would take them on
    # processors with AVX-VNNI, too, which do not need them: BERT in int8 would take 1.7 times as long on Zen 5.
    # With it, 1.25 to 1.29 abort the process at a MatMulInteger without zero points, which quantizers do not write.
    options.add_session_config_entry(NO_OVERFLOW, "0" if processor.has_vnni() else "1")
    options.enable_cpu_mem_arena = arena
    # Whatever goes wrong is raised; the log would repeat it.
    options.log_severity_level = NOTHING
    # Its fallback to other providers would print to standard output (onnxruntime 1.32).
    return onnxruntime.InferenceSession(
        _path_or_bytes(model), options, providers=["CPUExecutionProvider"], enable_fallback=0
    )


def write_optimized(
    source: Path | bytes,
    target: Path,
    level: Literal["basic", "extended", "all"],
    *,
    disabled: Collection[str] = (),
    prepacking: bool = True,
) -> None:
    """Write the graph that onnxruntime's optimizers make of an ONNX file.

    Args:
        source: an ONNX file, or the bytes of one.
        target: the file to write.
        level: `basic` and `extended` give the same graph on every processor, `all` does not.
        disabled: optimizers to leave out, by onnxruntime's names.
        prepacking: lay weights out for this processor, which takes a copy of them.
    """
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = {
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[level]
    options.optimized_model_filepath = str(target)
    options.log_severity_level = ERRORS
    if not prepacking:
        options.add_session_config_entry("session.disable_prepacking", "1")
    onnxruntime.InferenceSession(
        _path_or_bytes(source), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(disabled)
    )


def _path_or_bytes(model: Path | bytes) -> str | bytes:
    return model if isinstance(model, bytes) else str(model)


def _empty_output(tensor: Tensor) -> np.ndarray:
    """Return the output for an empty batch."""
    import numpy as np

    return np.zeros([size if isinstance(size, int) else 0 for size in tensor.shape], tensor.dtype)


def open_onnx(path: Path, threads: int | None = None) -> Session:
    """Open an ONNX file of the contract. Raises whatever onnxruntime raises for a file that it cannot load."""
    native = inference_session(path, threads)

    def tensors(values: Any) -> dict[str, Tensor]:
        return {value.name: Tensor(DTYPES.get(value.type, value.type), tuple(value.shape)) for value in values}

    signature = Signature(tensors(native.get_inputs()), tensors(native.get_outputs()))
    names = list(signature.outputs)

    batch = next(iter(signature.inputs), "")
    fragile = NO_EMPTY_BATCH in native.get_modelmeta().custom_metadata_map

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if fragile and not len(inputs[batch]):
            return {name: _empty_output(tensor) for name, tensor in signature.outputs.items()}
        return dict(zip(names, native.run(names, dict(inputs)), strict=True))

    return Session(signature, run, native)


def described(session: Session, path: Path) -> Model:
    """Return the description of an open ONNX file, as the file alone states it, see `zoo.onnx_metadata.read`."""
    from zoo import onnx_metadata

    metadata = session.native.get_modelmeta().custom_metadata_map
    return onnx_metadata.read(metadata, session.signature.outputs, str(path))


def _checks(path: Path, session: Session, model: Model) -> dict[str, list[str]]:
    """Compare the file's metadata with the manifest, and its graph with the digest in the file."""
    from zoo import onnx_metadata

    # Metadata that are not UTF-8 raise only here, not when the file is loaded.
    metadata = session.native.get_modelmeta().custom_metadata_map
    return {"metadata": onnx_metadata.faults(metadata, model), "digest": _digest_faults(metadata, path)}


def _digest_faults(metadata: dict[str, str], path: Path) -> list[str]:
    """Compare the digest of the graph with the one in the file: some changes of weights change no golden output."""
    from zoo.onnx_file import DIGEST, graph_digest

    stated = metadata.get(DIGEST)
    if stated is None:
        return [f"metadata_props has no '{DIGEST}'"]
    try:
        digest = graph_digest(path)
    except ValueError as error:
        return [str(error)]
    return [] if stated == digest else [f"the graph's SHA-256 is {digest[:12]}…, not {stated:.12}… as the file says"]


def _card(name: str, model: Model) -> str:
    from zoo.task import task_of

    shown, outputs = shown_output(model), task_of(model).outputs
    first_output = f"{shown}[0]"
    prints = {
        PROBABILITIES: f"model.labels[{first_output}.argmax()], {first_output}.max()",
        VALUES: f"dict(zip(model.labels, {first_output}))",
    }
    of_example = ", ".join(f"{quoted(output)}: {output}[0]" for output in outputs)
    by_task = f"task_of(model).answer({{{of_example}}}, model, 1).plain()"
    return code_block(
        "python",
        "import onnxruntime",
        *(["from zoo.task import task_of"] if shown not in prints else []),
        inputs_in_python(name, model),
        f"session = onnxruntime.InferenceSession({quoted(f'{name}/{ONNX.path}')})",
        f"{', '.join(outputs)}{',' * (len(outputs) == 1)} = session.run({json.dumps(outputs)}, inputs)",
        f"print({prints.get(shown, by_task)})",
    )


def _int8_card(name: str, model: Model) -> str:
    return f"`{name}/{INT8.path}` is run in the same way; the section on int8 says what it costs.\n"


def _fp16_card(name: str, model: Model) -> str:
    return f"`{name}/{FP16.path}` computes in float16: for GPUs.\n"


ONNX = Format("onnx", "onnxruntime", open_onnx, _card, "onnx/model.onnx", checks=_checks)

INT8 = Format(
    "onnx_int8",
    "onnxruntime",
    open_onnx,
    _int8_card,
    "onnx/model.int8.onnx",
    source="onnx",
    # Processors round the floats between the integers differently, so the file is compared with its own answers.
    golden="golden.int8.npz",
    # The accuracy budget decides whether int8 is good enough. This tolerance only refuses a file that computes
    # something else.
    tolerance=0.5,
    golden_tolerance=5e-2,
    batch_tolerance=2e-2,
    checks=_checks,
)

FP16 = Format(
    "onnx_fp16",
    "onnxruntime",
    open_onnx,
    _fp16_card,
    "onnx/model.fp16.onnx",
    source="onnx",
    tolerance=1e-2,
    golden_tolerance=1e-2,
    checks=_checks,
)

FORMATS = (ONNX, INT8, FP16)
