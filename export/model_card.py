"""The model card: what the manifest says, for people."""

from __future__ import annotations

from zoo.artifact import Manifest
from zoo.contract import IMAGE, LOGITS, PROBABILITIES
from zoo.description import Data, InitialWeights, Weights
from zoo.export import examples


def text(name: str, manifest: Manifest) -> str:
    """The card in Markdown; every figure in it stands in the manifest, with what produced it."""
    model, data = manifest.model, manifest.data
    height, width, channels = model.preprocessing.shape
    title = f"{model.family} {model.size}" + (f" on {data.source}" if data else "")
    origins = "".join(
        ([_trained_on(data)] if data else [])
        + ([_weights_from(manifest.weights)] if manifest.weights else [])
        + ([_started_from(manifest.initial)] if manifest.initial else [])
    )
    labels = ", ".join(model.labels[:20]) + (", …" if len(model.labels) > 20 else "")
    use = "\n".join(examples.text(kind, name, model.family) for kind in manifest.formats)
    return f"""# {name}

{title}: {model.parameters:,} parameters, {model.multiply_adds / 1e6:,.1f} million multiply-adds an image.

| | |
|---|---|
| input | `{IMAGE}`: uint8 [batch, {height}, {width}, {channels}], raw pixels 0–255; normalization is inside |
| outputs | `{LOGITS}`, `{PROBABILITIES}`: float32 [batch, {len(model.labels)}] |
| classes | {len(model.labels)}: {labels} (all in `labels.txt`, in the order of the outputs) |
| formats | {", ".join(manifest.formats)} |
{origins}| license of the weights | {manifest.license["weights"]} |
| license of the {"data" if data else "images inside"} | {manifest.license["data"]} |

## Accuracy on the test split

{_accuracy(manifest)}

{_int8(manifest)}## Use

{use}

Check it anywhere, without TensorFlow: `zoo verify {name}`. It passed {len(manifest.gates)} gates, whose figures are
in `manifest.json`.

Made by `{manifest.export.command}` from a run made by `{manifest.training.command}`.
"""


def _trained_on(data: Data) -> str:
    images = f"{data.counts.get('train', 0):,} images"
    return f"| trained on | {data.source}, {images}, fingerprint `{data.fingerprint[:16]}` |\n"


def _weights_from(weights: Weights) -> str:
    place = weights.repository or weights.file
    revision = f" at `{weights.revision}`" if weights.revision else ""
    return f"| weights | {place} ({weights.source}){revision}, SHA-256 `{weights.sha256[:16]}` |\n"


def _started_from(initial: InitialWeights) -> str:
    """Of the weights that training started from: the run, the digest, the license."""
    head = ", with a new head" if initial.new_head else ""
    license = initial.license or "no license stated"
    run = f"run `{initial.run}` ({initial.family} {initial.size})"
    return f"| fine-tuned from | {run}, SHA-256 `{initial.sha256[:16]}`, {license}{head} |\n"


def _accuracy(manifest: Manifest) -> str:
    if not manifest.accuracy:
        return "Not measured: these weights came without data. `zoo evaluate … --data` measures it."
    rows = [
        f"| {kind} | {it.accuracy:.4f} | {it.low:.4f} – {it.high:.4f} | {it.correct} of {it.images} |"
        for kind, it in manifest.accuracy.items()
    ]
    return "\n".join(["| file | accuracy | 95 % interval | images |", "|---|---|---|---|", *rows]) + _overlap(manifest)


def _overlap(manifest: Manifest) -> str:
    """A warning where test images were trained on; nothing where none were, or where nobody looked."""
    data = manifest.data
    shared = (data.overlap or {}).get("test", 0) if data else 0
    if data is None or not shared:
        return ""
    return (
        f"\n\n**{shared} of the {data.counts['test']} test images were in training or validation, too.** "
        "`zoo evaluate` leaves them out."
    )


def _int8(manifest: Manifest) -> str:
    """What the int8 file costs, image by image, and what it saves; nothing where there is none."""
    made = manifest.int8
    if made is None:
        return ""
    test, speed = made.test, made.speed
    kept = ", ".join(f"`{one.node}`" for one in made.kept) or "none"
    latency = (
        f"{speed.ratio:.2f} times that of float32 ({speed.low:.2f} – {speed.high:.2f})" if speed else "not measured"
    )
    forced = "".join(f"| **shipped by `--force`** | {reason} |\n" for reason in made.forced)
    return f"""## int8, for {made.target}

| | |
|---|---|
| loses | {test.drop:.2f} points of accuracy ({test.low:.2f} – {test.high:.2f}), on the {test.images} test images |
| | right in float32 only: {test.lost}; in int8 only: {test.gained}; {made.max_drop:g} points were allowed |
| latency | {latency}, one thread, one image |
| nodes left in float32 | {len(made.kept)} of {made.nodes}: {kept} |
{forced}
"""
