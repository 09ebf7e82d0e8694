"""The model card's section on the SavedModel: an example in Python and one with curl for each signature."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import contract
from zoo.contract import CLASSES, CLASSIFY, EXAMPLES, LABELED, SCORES, SERVE, STATUS, VERSION
from zoo.formats._markdown import code_block, inputs_in_python, quoted, shown_output
from zoo.signature import Signature

if TYPE_CHECKING:
    from zoo.description import Model
    from zoo.input import Input

BODY = "inputs.json"
"""The file that the Python example for encoded inputs writes and the one for curl sends."""

_CONTENT = "%s"
"""The place of a file's content in a request, for printf."""

_BODY_IN_PYTHON = f"""rows = [{{name: values[0].tolist() for name, values in inputs.items()}}]
Path("{BODY}").write_text(json.dumps({{"instances": rows}}))  # for curl
"""


def card(name: str, path: str, model: Model) -> str:
    """Return the section in Markdown, for the SavedModel at `path` of the artifact `name`."""
    from zoo.input import kind_of
    from zoo.task import find, task_of

    kind, signatures = kind_of(model.preprocessing), contract.signatures(model)
    sections = "\n".join(
        f"### `{signature}`: {_in_words(signature, stated, kind)}\n\n"
        + code_block("python", _python(name, path, signature, model))
        + "\n"
        + code_block("bash", _curl(signature, model))
        for signature, stated in signatures.items()
    )
    tasks = [find(part.task) for part in model.parts] or [task_of(model)]
    zeros = dict.fromkeys(name for task in tasks for name in task.outputs if name not in task.probabilities)
    blank = f"{' and '.join(zeros)} are then 0" + ", probabilities equal" * any(task.probabilities for task in tasks)
    return f"""TF Serving takes `{name}/{path}` as its model base path; warm-up requests are included, and
`zoo publish` copies the model to the base path of a server. For each signature, the Python code answers without a
server, and the command sends a request to a server that serves the model as `{model.family}`.

With batching, use `{kind.raw_safe}`: with the others, one wrong request fails all requests in its batch. Its output
`{STATUS}` is empty for each {kind.noun} that was answered, or says why it was not; {blank}.

{sections}"""


def _in_words(signature: str, stated: Signature, kind: Input) -> str:
    outputs = tuple(stated.outputs)
    answers = "the likeliest labels" if outputs == LABELED else " and ".join(outputs)
    examples = {SERVE: f"encoded {kind.plural}", CLASSIFY: "tf.Example protobufs, by Classify requests"}
    return f"{answers} of {examples.get(signature, f'raw {kind.plural}')}"


def _python(name: str, path: str, signature: str, model: Model) -> str:
    """Return a call of a signature in TensorFlow, without a server."""
    from zoo.input import kind_of

    raw = kind_of(model.preprocessing).client.rest(model.preprocessing)
    preamble = "from pathlib import Path\n\n" * any(isinstance(value, Path) for value in raw.values())
    preparation = ""
    if signature == SERVE:
        preamble = f"import json\n{inputs_in_python(name, model)}{_BODY_IN_PYTHON}\n"
        arguments = "**{name: tf.constant(values) for name, values in inputs.items()}"
    elif signature == CLASSIFY:
        lines = "".join(f"    {quoted(key)}: {_feature(value)},\n" for key, value in raw.items())
        preparation = f"\nfeatures = {{\n{lines}}}\n"
        preparation += "example = tf.train.Example(features=tf.train.Features(feature=features))"
        arguments = f"{EXAMPLES}=tf.constant([example.SerializeToString()])"
    else:
        lines = "".join(f"    {quoted(key)}: tf.constant([{_value(value)}]),\n" for key, value in raw.items())
        preparation, arguments = f"\ninputs = {{\n{lines}}}", "**inputs"
    load_line = f"saved_model = tf.saved_model.load({quoted(f'{name}/{path}/{VERSION}')})"
    call_line = f'outputs = saved_model.signatures["{signature}"]({arguments})'
    if tuple(contract.signatures(model)[signature].outputs) == LABELED:
        print_line = f'print(outputs["{CLASSES}"][0, 0].numpy().decode(), outputs["{SCORES}"][0, 0].numpy())'
    elif model.parts:
        print_line = "print({name: values[0].numpy() for name, values in outputs.items()})"
    else:
        print_line = f'print(outputs["{shown_output(model)}"][0].numpy())'
    return f"{preamble}import tensorflow as tf\n{preparation}\n{load_line}\n{call_line}\n{print_line}"


def _value(value: Any) -> str:
    """Return a Python expression for a value of a request; that of a `Path` reads the file."""
    return f"Path({quoted(str(value))}).read_bytes()" if isinstance(value, Path) else repr(value)


def _feature(value: Any) -> str:
    """Return a Python expression for a feature of a tf.Example."""
    if isinstance(value, float):
        return f"tf.train.Feature(float_list=tf.train.FloatList(value=[{_value(value)}]))"
    encoded = f"{_value(value)}.encode()" if isinstance(value, str) else _value(value)
    return f"tf.train.Feature(bytes_list=tf.train.BytesList(value=[{encoded}]))"


def _curl(signature: str, model: Model) -> str:
    """Return a request for a signature to TF Serving's REST interface."""
    method, rows = ("classify", "examples") if signature == CLASSIFY else ("predict", "instances")
    url = f"http://localhost:8501/v1/models/{model.family}:{method}"
    if signature == SERVE:
        return f"curl -d @{BODY} {url}"
    from zoo.input import kind_of

    raw = kind_of(model.preprocessing).client.rest(model.preprocessing)
    files = [value for value in raw.values() if isinstance(value, Path)]
    row: Any = {key: {"b64": _CONTENT} if isinstance(value, Path) else value for key, value in raw.items()}
    if len(row) == 1 and signature != CLASSIFY:
        (row,) = row.values()
    body = json.dumps({"signature_name": signature, rows: [row]}, ensure_ascii=False)
    if not files:
        return f"curl -d {shlex.quote(body)} {url}"
    contents = " ".join(f"\"$(base64 < {shlex.quote(str(file))} | tr -d '\\n')\"" for file in files)
    return f"printf {shlex.quote(body)} {contents} |\n    curl -d @- {url}"
