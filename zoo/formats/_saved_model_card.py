"""The model card's section on the SavedModel: an example in Python and one with curl for each signature."""

from __future__ import annotations

import shlex

from zoo.contract import (
    CLASSES,
    CLASSIFY,
    EXAMPLES,
    IMAGE,
    IMAGE_BYTES,
    LABELED,
    PROBABILITIES,
    SCORES,
    SERVE,
    SERVE_BYTES_SAFE,
    SIGNATURES,
    STATUS,
    VERSION,
    input_of,
)
from zoo.formats._markdown import UPLOAD, code_block, pixels_in_python, quoted

BODY = "pixels.json"
"""The file that the Python example for pixels writes and the one for curl sends."""

_INPUTS = {
    IMAGE: "image",
    IMAGE_BYTES: f'[Path("{UPLOAD}").read_bytes()]',
    EXAMPLES: "[example.SerializeToString()]",
}
"""The Python expression for each input of the contract."""

_INPUT_WORDS = {
    IMAGE: "pixels",
    IMAGE_BYTES: "JPEG or PNG files",
    EXAMPLES: "tf.Example protobufs, by Classify requests",
}

_EXAMPLE = f"""
encoded = tf.train.BytesList(value=[Path("{UPLOAD}").read_bytes()])
features = tf.train.Features(feature={{"{IMAGE_BYTES}": tf.train.Feature(bytes_list=encoded)}})
example = tf.train.Example(features=features)"""


def card(name: str, path: str, served_as: str) -> str:
    """The section in Markdown, for the SavedModel at `path` of the artifact `name`, on a server as `served_as`."""
    sections = "\n".join(
        f"### `{signature}`: {_in_words(signature)}\n\n"
        + code_block("python", _python(name, path, signature))
        + "\n"
        + code_block("bash", _curl(signature, served_as))
        for signature in SIGNATURES
    )
    return f"""TF Serving takes `{name}/{path}` as its model base path; a warm-up is inside, and
`zoo publish` puts it where a server looks. For each signature, the Python code answers without a server, and the
command sends a request to a server that serves the model as `{served_as}`.

With batching, use `{SERVE_BYTES_SAFE}`: in the others one wrong request fails all that share its batch. Its output
`{STATUS}` is empty for each image that was answered, or says why it was not; logits are then 0, probabilities equal.

{sections}"""


def _in_words(signature: str) -> str:
    outputs = tuple(SIGNATURES[signature].outputs)
    given = "the likeliest labels" if outputs == LABELED else " and ".join(outputs)
    return f"{given} of {_INPUT_WORDS[input_of(signature)]}"


def _python(name: str, path: str, signature: str) -> str:
    """A call of a signature in TensorFlow, without a server."""
    taken = input_of(signature)
    before = {
        IMAGE: f"import json\n{pixels_in_python(name)}"
        f'Path("{BODY}").write_text(json.dumps({{"instances": image.tolist()}}))  # for curl\n',
        IMAGE_BYTES: "from pathlib import Path\n",
        EXAMPLES: "from pathlib import Path\n",
    }[taken]
    loaded = f"saved_model = tf.saved_model.load({quoted(f'{name}/{path}/{VERSION}')})"
    call = f'outputs = saved_model.signatures["{signature}"]({taken}=tf.constant({_INPUTS[taken]}))'
    if tuple(SIGNATURES[signature].outputs) == LABELED:
        shown = f'print(outputs["{CLASSES}"][0, 0].numpy().decode(), outputs["{SCORES}"][0, 0].numpy())'
    else:
        shown = f'print(outputs["{PROBABILITIES}"][0].numpy())'
    example = _EXAMPLE if taken == EXAMPLES else ""
    return f"{before}\nimport tensorflow as tf\n{example}\n{loaded}\n{call}\n{shown}"


def _curl(signature: str, served_as: str) -> str:
    """A request for a signature to TF Serving's REST interface."""
    method, rows = ("classify", "examples") if signature == CLASSIFY else ("predict", "instances")
    url = f"http://localhost:8501/v1/models/{served_as}:{method}"
    if signature == SERVE:
        return f"curl -d @{BODY} {url}"
    row = '{"b64": "%s"}'
    if signature == CLASSIFY:
        row = f'{{"{IMAGE_BYTES}": {row}}}'
    body = shlex.quote(f'{{"signature_name": "{signature}", "{rows}": [{row}]}}')
    return f"printf {body} \"$(base64 < {UPLOAD} | tr -d '\\n')\" |\n    curl -d @- {url}"
