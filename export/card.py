"""The model card: what the manifest says, for people."""

from __future__ import annotations

from zoo.artifact import Manifest
from zoo.contract import IMAGE, LOGITS, PROBABILITIES, SERVE, SERVE_BYTES


def text(name: str, manifest: Manifest) -> str:
    """The card in Markdown; every figure in it stands in the manifest, with what produced it."""
    model, data = manifest.model, manifest.data
    height, width, channels = model.preprocessing.shape
    title = f"{model.family} {model.size} on {data.source}"
    accuracy = "\n".join(
        f"| {kind} | {it.accuracy:.4f} | {it.low:.4f} – {it.high:.4f} | {it.correct} of {it.pictures} |"
        for kind, it in manifest.accuracy.items()
    )
    labels = ", ".join(model.labels[:20]) + (", …" if len(model.labels) > 20 else "")
    examples = "\n".join(_EXAMPLES[kind].format(name=name) for kind in manifest.formats)
    return f"""# {name}

{title}: {model.parameters:,} parameters, {model.multiply_adds / 1e6:,.1f} million multiply-adds a picture.

| | |
|---|---|
| input | `{IMAGE}`: uint8 [batch, {height}, {width}, {channels}], raw pixels 0–255; normalisation is inside |
| outputs | `{LOGITS}`, `{PROBABILITIES}`: float32 [batch, {len(model.labels)}] |
| classes | {len(model.labels)}: {labels} (all in `labels.txt`, in the order of the outputs) |
| formats | {", ".join(manifest.formats)} |
| trained on | {data.source}, {data.counts.get("train", 0):,} pictures, fingerprint `{data.fingerprint[:16]}` |
| licence of the weights | {manifest.licence["weights"]} |
| licence of the data | {manifest.licence["data"]} |

## Accuracy on the test split

| file | accuracy | 95 % interval | pictures |
|---|---|---|---|
{accuracy}

## Use

{examples}

Check it anywhere, without TensorFlow: `zoo verify {name}`. It passed {len(manifest.gates)} gates, whose figures are
in `manifest.json`.

Made by `{manifest.export.command}` from a run made by `{manifest.training.command}`.
"""


_EXAMPLES = {
    "onnx": """```python
import numpy, onnxruntime
session = onnxruntime.InferenceSession("{name}/onnx/model.onnx")
(logits, probabilities) = session.run(["logits", "probabilities"], {{"image": pixels}})
```
""",
    "saved_model": f"""TF Serving takes `{{name}}/saved_model` as its model base path; the signatures are
`{SERVE}` (pixels) and `{SERVE_BYTES}` (JPEG or PNG files, `image_bytes`). A warm-up is inside.
""",
}
