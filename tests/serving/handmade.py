"""Artifacts made by hand: a dense layer on gray images of 6 by 5, three classes, with golden answers from numpy."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from zoo import artifact, formats, migration, onnx_metadata, schema
from zoo.artifact import Gate, Manifest
from zoo.description import Data, Model, Provenance
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.onnx_file import DIGEST, graph_digest
from zoo.recipe import Recipe
from zoo.saved_model_folder import SERVED
from zoo.task import Score

ONNX = formats.find("onnx").path

SHAPE = (6, 5, 1)
LABELS = ("ant", "bee", "crow")
PREPROCESSING = Preprocessing(*SHAPE, mean=(0.0,), std=(1.0,))
MODEL = Model("cnn", "small", LABELS, PREPROCESSING, parameters=93, multiply_adds=90)
_MADE = Provenance("zoo by hand", 0, {"python": "3"}, {}, "2026-01-01T00:00:00", "2026-01-01T00:00:01")


def weights(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(0, 1, (30, 3)).astype(np.float32), np.array([1.5, -0.5, 0.25], np.float32)


def graph(seed: int = 0, labels: tuple[str, ...] = LABELS) -> onnx.ModelProto:
    kernel, bias = weights(seed)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "kernel", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    made = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", *SHAPE])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(LABELS)])
            for name in ("logits", "probabilities")
        ],
        [
            numpy_helper.from_array(np.array(1 / 255, np.float32), "scale"),
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, onnx_metadata.entries(dataclasses.replace(MODEL, labels=labels)))
    return model


def golden(seed: int = 0) -> dict[str, np.ndarray]:
    kernel, bias = weights(seed)
    image = np.random.default_rng(1).integers(0, 256, (8, *SHAPE), np.uint8)
    logits = (image.reshape(8, -1).astype(np.float32) / 255) @ kernel + bias
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return {"image": image, "logits": logits, "probabilities": powers / powers.sum(1, keepdims=True)}


def manifest(names: tuple[str, ...], **changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "schema": migration.SCHEMA,
        "model": MODEL,
        "data": Data("digits", None, "f" * 64, {"train": 80, "test": 20}, (), "CC0"),
        "recipe": Recipe(),
        "training": _MADE,
        "export": _MADE,
        "formats": names,
        "files": {},
        "gates": (Gate("onnx_checker", True, {"onnx": "1"}),),
        "score": {name: Score("accuracy", 0.95, 0.76, 0.99, 20) for name in names},
        "license": {"weights": "none", "data": "CC0"},
        "opset": 17,
    }
    return Manifest(**(values | changes))


def make_artifact(folder: Path, names: tuple[str, ...] = ("onnx",), seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    if "onnx" in names:
        (folder / "onnx").mkdir()
        onnx.save(graph(seed), folder / ONNX)
        close(folder / ONNX)
    np.savez(folder / artifact.GOLDEN, allow_pickle=False, **golden(seed))
    (folder / artifact.LABELS).write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
    (folder / artifact.CARD).write_text("# a card\n", encoding="utf-8")
    artifact.write(folder, manifest(names))
    return folder


def write_saved_model_stub(folder: Path) -> None:
    """Write the files that every SavedModel has, with a content that no library can load."""
    for pattern in SERVED:
        path = folder / "saved_model/1" / pattern.replace("*", "0")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no graph")


def close(path: Path) -> None:
    """Write the digest of the graph into the file, as the export does; what is no network is left as it is."""
    try:
        found, model = graph_digest(path), onnx.load(path)
        if not model.HasField("graph"):
            return
        kept = {entry.key: entry.value for entry in model.metadata_props}
        del model.metadata_props[:]
        # A damaged text that is not UTF-8 is read as bytes, which raise where they are set (protobuf 7.36).
        helper.set_model_props(model, kept | {DIGEST: found})
    except (OSError, ValueError, DecodeError):
        return
    onnx.save(model, path)


def sign(folder: Path, **changes: Any) -> None:
    """Write the manifest again, with the hashes of what is there: as if the export itself had made the mistake."""
    close(folder / ONNX)
    values = schema.to_dict(artifact.read(folder))
    artifact.write(folder, schema.parse(Manifest, values | changes, "test"))


def edit_graph(folder: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    model = onnx.load(folder / ONNX)
    change(model)
    onnx.save(model, folder / ONNX)


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process that runs `code`."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        timeout=120,
        check=False,
    )


SAVE = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
folder = Path(sys.argv[1])
stored = np.load(sys.argv[2])
module = tf.Module()
module.kernel, module.bias = tf.Variable(stored["kernel"]), tf.Variable(stored["bias"])

@tf.function(input_signature=[tf.TensorSpec([None, 6, 5, 1], tf.uint8, name="image")])
def serve(image):
    flat = tf.reshape(tf.cast(image, tf.float32) / 255, [-1, 30])
    logits = flat @ module.kernel + module.bias
    return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

tf.saved_model.save(module, str(folder / "1"), signatures={"serving_default": serve})
(folder / "1" / "assets.extra").mkdir()
(folder / "1" / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"records")
"""
