"""How each format and each signature is asked: code for the model card that runs as it stands, above the artifact."""

from __future__ import annotations

import json
import shlex

from zoo.artifact import ONNX, ONNX_FP16, ONNX_INT8, SAVED_MODEL, Format
from zoo.contract import (
    CLASSES,
    CLASSIFY,
    EXAMPLES,
    IMAGE,
    IMAGE_BYTES,
    LABELED,
    LOGITS,
    PROBABILITIES,
    SCORES,
    SERVE,
    SERVE_BYTES_SAFE,
    SIGNATURES,
    STATUS,
    VERSION,
)

UPLOAD, BODY = "image.jpg", "pixels.json"
"""The files that the examples read and write."""

_PIXELS = """from pathlib import Path

from zoo.artifact import read
from zoo.preprocess import pixels_from_bytes

model = read(Path({folder})).model
image = pixels_from_bytes(Path("{upload}").read_bytes(), model.preprocessing)[None]
"""

_INPUTS = {
    IMAGE: "image",
    IMAGE_BYTES: f'[Path("{UPLOAD}").read_bytes()]',
    EXAMPLES: "[example.SerializeToString()]",
}
"""What is given to a signature, as Python, by the name of its input."""

_EXAMPLE = f"""
encoded = tf.train.BytesList(value=[Path("{UPLOAD}").read_bytes()])
features = tf.train.Features(feature={{"{IMAGE_BYTES}": tf.train.Feature(bytes_list=encoded)}})
example = tf.train.Example(features=features)"""


def text(kind: Format, name: str, served_as: str) -> str:
    """How the format `kind` of the artifact `name` is asked, in Markdown, by a server that calls it `served_as`."""
    if kind == "onnx":
        return _block("python", _onnx(name))
    if kind == "onnx_int8":
        return f"`{name}/{ONNX_INT8}` is run in the same way; what it costs stands above.\n"
    if kind == "onnx_fp16":
        return f"`{name}/{ONNX_FP16}` computes in float16: for GPUs.\n"
    sections = "\n".join(
        f"### `{signature}`: {_form(signature)}\n\n"
        + _block("python", _python(name, signature))
        + "\n"
        + _block("bash", _curl(signature, served_as))
        for signature in SIGNATURES
    )
    return f"""TF Serving takes `{name}/{SAVED_MODEL}` as its model base path; a warm-up is inside, and
`zoo publish` puts it where a server looks. For each signature, the Python code answers without a server, and the
command asks one that serves the model as `{served_as}`.

With batching, use `{SERVE_BYTES_SAFE}`: in the others one wrong request fails all that share its batch. Its output
`{STATUS}` is empty for each image that was answered, or says why it was not; logits are then 0, probabilities equal.

{sections}"""


def _form(signature: str) -> str:
    """What a signature takes and gives, in words."""
    taken = {IMAGE: "pixels", IMAGE_BYTES: "JPEG or PNG files", EXAMPLES: "tf.Example protobufs, by Classify requests"}
    name, outputs = SIGNATURES[signature]
    given = "the likeliest labels" if outputs == LABELED else " and ".join(outputs)
    return f"{given} of {taken[name]}"


def _onnx(name: str) -> str:
    session = f"session = onnxruntime.InferenceSession({_quoted(f'{name}/{ONNX}')})"
    answer = f'logits, probabilities = session.run(["{LOGITS}", "{PROBABILITIES}"], {{"{IMAGE}": image}})'
    shown = "print(model.labels[probabilities[0].argmax()], probabilities[0].max())"
    return "\n".join(("import onnxruntime", _pixels(name), session, answer, shown))


def _python(name: str, signature: str) -> str:
    """A call of a signature in TensorFlow, without a server."""
    taken, outputs = SIGNATURES[signature]
    before = {
        IMAGE: f"import json\n{_pixels(name)}"
        f'Path("{BODY}").write_text(json.dumps({{"instances": image.tolist()}}))  # for curl\n',
        IMAGE_BYTES: "from pathlib import Path\n",
        EXAMPLES: "from pathlib import Path\n",
    }[taken]
    loaded = f"saved_model = tf.saved_model.load({_quoted(f'{name}/{SAVED_MODEL}/{VERSION}')})"
    answer = f'answer = saved_model.signatures["{signature}"]({taken}=tf.constant({_INPUTS[taken]}))'
    if outputs == LABELED:
        shown = f'print(answer["{CLASSES}"][0, 0].numpy().decode(), answer["{SCORES}"][0, 0].numpy())'
    else:
        shown = f'print(answer["{PROBABILITIES}"][0].numpy())'
    example = _EXAMPLE if taken == EXAMPLES else ""
    return f"{before}\nimport tensorflow as tf\n{example}\n{loaded}\n{answer}\n{shown}"


def _curl(signature: str, served_as: str) -> str:
    """A request of a signature to TF Serving's REST interface."""
    method, rows = ("classify", "examples") if signature == CLASSIFY else ("predict", "instances")
    url = f"http://localhost:8501/v1/models/{served_as}:{method}"
    if signature == SERVE:
        return f"curl -d @{BODY} {url}"
    row = '{"b64": "%s"}'
    if signature == CLASSIFY:
        row = f'{{"{IMAGE_BYTES}": {row}}}'
    body = shlex.quote(f'{{"signature_name": "{signature}", "{rows}": [{row}]}}')
    return f"printf {body} \"$(base64 < {UPLOAD} | tr -d '\\n')\" |\n    curl -d @- {url}"


def _pixels(name: str) -> str:
    return _PIXELS.format(folder=_quoted(name), upload=UPLOAD)


def _quoted(text: str) -> str:
    """Text as Python writes it between quotation marks."""
    return json.dumps(text, ensure_ascii=False)


def _block(language: str, code: str) -> str:
    return f"```{language}\n{code}\n```\n"
