"""SavedModels, opened by TensorFlow on the CPU: `serving_default` of the version that TF Serving would take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import saved_model_folder
from zoo.contract import BATCH, SERVE
from zoo.errors import ZooError
from zoo.formats import Format, Session, _saved_model_card
from zoo.signature import UNNAMED, Signature, Tensor

if TYPE_CHECKING:
    import numpy as np

    from zoo.description import Model


CPU = "CPU:0"
"""The device that loads and computes, also where TensorFlow sees GPUs."""


def _tensorflow() -> Any:
    from zoo.tensorflow_setup import import_tensorflow

    import_tensorflow(as_a_server=True)
    import tensorflow as tf

    return tf


def open_saved_model(base: Path, threads: int | None = None) -> Session:
    """Open the latest version of the SavedModel below a base path; `native` is the module that TensorFlow loads.

    Without a number of threads, this process keeps its devices and threads, because it may train later.

    Raises whatever TensorFlow raises for a folder that it cannot load.

    Raises:
        ZooError: TensorFlow has started already in this process with other threads than those asked for.
        Refused: there is no version.
    """
    tf = _tensorflow()
    if threads is not None:
        _configure(tf, threads)
    with tf.device(CPU):
        loaded = tf.saved_model.load(str(saved_model_folder.latest_version(base)))
    serve = loaded.signatures[SERVE]

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        # The signature alone does not keep the variables alive (tensorflow 2.21): `loaded` must live as long as this.
        assert loaded is not None
        with tf.device(CPU):
            outputs = serve(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return Session(_signature(serve), run, loaded)


def _configure(tf: Any, threads: int) -> None:
    """Set devices and threads, which TensorFlow takes only before it starts."""
    try:
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise ZooError(
            f"TensorFlow has started in this process with other settings than {threads} threads on the CPU: "
            "use a fresh process, or leave the number of threads open"
        ) from None


def _signature(serve: Any) -> Signature:
    def tensor(spec: Any) -> Tensor:
        # TensorFlow does not name open dimensions.
        first, *rest = (UNNAMED if size is None else size for size in spec.shape)
        return Tensor(spec.dtype.name, (BATCH if first == UNNAMED else first, *rest))

    inputs = serve.structured_input_signature[1]
    return Signature(
        {name: tensor(spec) for name, spec in inputs.items()},
        {name: tensor(spec) for name, spec in serve.structured_outputs.items()},
    )


def _card(name: str, model: Model) -> str:
    return _saved_model_card.card(name, SAVED_MODEL.path, model)


def _layout(sizes: Mapping[str, int], path: str) -> list[str]:
    return saved_model_folder.problems(sizes, path)


SAVED_MODEL = Format(
    "saved_model",
    "tensorflow",
    open_saved_model,
    _card,
    "saved_model",
    heavy=True,
    import_library=_tensorflow,
    layout=_layout,
)

FORMATS = (SAVED_MODEL,)
