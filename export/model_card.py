"""The model card: an artifact's manifest in Markdown, with examples of how to use each format."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from zoo import contract, formats
from zoo.artifact import Manifest
from zoo.data.source import short_name, without_folders
from zoo.data.unlabeled import REST, in_words
from zoo.description import Data, InitialWeights, Teacher, Weights
from zoo.export import hub_metadata
from zoo.formats.onnx import NO_OVERFLOW
from zoo.input import Input, kind_of
from zoo.signature import Tensor
from zoo.task import names

WITHOUT_VNNI = (
    f"\nOn x86 processors without VNNI, set onnxruntime's session option `{NO_OVERFLOW}` to `1`: sums of products "
    "overflow otherwise, and the answers are wrong. A file for `x86-avx2` needs no such option.\n"
)

LOCAL_PATH = re.compile(r"(?<![^:=,])/(?!/)[^:=,]*")
"""An absolute path in a word of a command, also after `folder:` or `--out=` and in a list of files, but no URL."""


def text(name: str, manifest: Manifest) -> str:
    """Return the card in Markdown. Every figure comes from the manifest, which records how it was produced."""
    model, data = manifest.model, manifest.data
    kind, signature = kind_of(model.preprocessing), contract.of_every_format(model)
    title = f"{model.family} {model.size}" + (f" on {short_name(data.source)}" if data else "")
    facts = "".join(f"| {fact} | {value} |\n" for fact, value in kind.client.facts(model.preprocessing).items())
    origins = "".join(
        ([_trained_on(data, kind)] if data else [])
        + ([_also_trained_on(manifest.unlabeled, kind)] if manifest.unlabeled else [])
        + ([_weights_from(manifest.weights)] if manifest.weights else [])
        + ([_started_from(manifest.initial)] if manifest.initial else [])
        + ([_learned_from(manifest.teacher)] if manifest.teacher else [])
    )
    rows = [formats.find(format_name) for format_name in manifest.formats]
    use = "\n".join(row.card(name, model) for row in rows)
    libraries = " or ".join(dict.fromkeys(f"`{row.library}`" for row in rows))
    where = f"where {libraries} is installed" if all(row.heavy for row in rows) else "anywhere, without TensorFlow"
    labels_of_parts = [(part.name, part.labels) for part in model.parts] or [(model.task, model.labels)]
    labels = "".join(
        f"| {_cell(name)} | {len(own_labels)}: {names([*map(_cell, own_labels)], 20)} (all in `labels.txt`, "
        "in the order of the outputs) |\n"
        for name, own_labels in labels_of_parts
    )
    return f"""{hub_metadata.block(name, manifest)}
# {name}

{title}: {model.parameters:,} parameters, {model.multiply_adds / 1e6:,.1f} million multiply-adds for one {kind.noun}.

| | |
|---|---|
{facts}| takes | {_listed(signature.inputs)} |
| answers | {_listed(signature.outputs)} |
{labels}| formats | {", ".join(manifest.formats)} |
{origins}| license of the weights | {_cell(manifest.license["weights"])} |
| license of the {"data" if data else "examples inside"} | {_cell(manifest.license["data"])} |

## Score on the test split

{_score(manifest, kind)}

{_int8(manifest, kind)}## Use

{use}

Check it {where}: `zoo verify {shlex.quote(name)}`. It passed {len(manifest.gates)} gates, whose
figures are in `manifest.json`.

Made by `{_command(manifest.export.command)}` from a run made by `{_command(manifest.training.command)}`.
"""


def _command(line: str) -> str:
    """Return a command line without the folders above local paths, such as `--data folder:cats`."""
    return shlex.join(LOCAL_PATH.sub(lambda path: PurePosixPath(path[0]).name, word) for word in shlex.split(line))


def _cell(text: str) -> str:
    """Escape a text for a cell of a table."""
    return text.replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def _listed(tensors: dict[str, Tensor]) -> str:
    return ", ".join(f"`{name}`: {tensor}" for name, tensor in tensors.items())


def _trained_on(data: Data, kind: Input) -> str:
    examples = f"{data.counts.get('train', 0):,} {kind.plural}"
    return (
        f"| trained on | {_cell(without_folders(data.source))}, {examples}, fingerprint `{data.fingerprint[:16]}` |\n"
    )


def _also_trained_on(unlabeled: Data, kind: Input) -> str:
    """Return the row on the data without labels: their source, number, digest and license."""
    source = unlabeled.source if unlabeled.source == REST else without_folders(unlabeled.source)
    examples = f"{unlabeled.counts.get('train', 0):,} {kind.plural} without labels"
    license = _cell(unlabeled.license)
    return (
        f"| and on | {_cell(in_words(source))}, {examples}, fingerprint `{unlabeled.fingerprint[:16]}`, {license} |\n"
    )


def _weights_from(weights: Weights) -> str:
    origin = weights.repository or weights.file
    revision = f" at `{weights.revision}`" if weights.revision else ""
    return f"| weights | {_cell(origin or '')} ({weights.source}){revision}, SHA-256 `{weights.sha256[:16]}` |\n"


def _started_from(initial: InitialWeights) -> str:
    """Return the rows on the weights that training started from: run, digest and license, and what was removed."""
    head = ", with a new head" if initial.new_head else ""
    license = initial.license or "no license stated"
    run = f"run `{initial.run}` ({initial.family} {initial.size})"
    row = f"| fine-tuned from | {run}, SHA-256 `{initial.sha256[:16]}`, {license}{head} |\n"
    if initial.pruning:
        row += f"| pruned | channels removed, {initial.pruning.reached:.3f} of the multiply-adds left |\n"
    return row


def _learned_from(teacher: Teacher) -> str:
    """Return the row on the network whose answers training learned from: its name, score, digest and license."""
    network = f" ({teacher.family} {teacher.size})" if teacher.family else ""
    score = f", {teacher.score.metric} {teacher.score.value:.4f}" if teacher.score else ""
    license = teacher.license or "no license stated"
    return f"| distilled from | `{teacher.name}`{network}{score}, SHA-256 `{teacher.sha256[:16]}`, {license} |\n"


def _score(manifest: Manifest, kind: Input) -> str:
    if not manifest.score:
        return "Not measured: these weights came without data. `zoo evaluate … --data` measures it."
    first = next(iter(manifest.score.values()))
    rows = [
        f"| {name} | {figures.value:.4f} | {figures.low:.4f} – {figures.high:.4f} | {figures.examples} |"
        for format_name, score in manifest.score.items()
        for name, figures in (
            (format_name, score),
            *(
                (f"{format_name}: {_cell(part)}, {part_score.metric}", part_score)
                for part, part_score in score.parts.items()
            ),
        )
    ]
    header = [f"| file | {first.metric} | 95 % interval | {kind.plural} |", "|---|---|---|---|"]
    return "\n".join([*header, *rows]) + _overlap(manifest, kind)


def _overlap(manifest: Manifest, kind: Input) -> str:
    """Return a warning where test examples are in training or validation; empty where none is known to be."""
    data = manifest.data
    shared = (data.overlap or {}).get("test", 0) if data else 0
    if data is None or not shared:
        return ""
    origins = (("initial weights", manifest.initial), ("teacher", manifest.teacher))
    others = "".join(f" or of its {name}" for name, origin in origins if origin)
    of_networks = f", of this network{others}" if others else ""
    return (
        f"\n\n**{shared} of the {data.counts['test']} test {kind.plural} were in training or validation, "
        f"too{of_networks}.** `zoo evaluate` leaves them out."
    )


def _int8(manifest: Manifest, kind: Input) -> str:
    """Return the section on int8, its loss of accuracy and its latency; empty where there is no int8 file."""
    int8 = manifest.int8
    if int8 is None:
        return ""
    test, speed = int8.test, int8.speed
    kept = ", ".join(f"`{kept_node.node}`" for kept_node in int8.kept) or "none"
    latency = (
        f"{speed.ratio:.2f} times that of float32 ({speed.low:.2f} – {speed.high:.2f})" if speed else "not measured"
    )
    shapes = (speed.shapes if speed else None) or {}
    measured = "".join(f", `{name}` {list(shape)}" for name, shape in shapes.items())
    forced = "".join(f"| **shipped by `--force`** | {reason} |\n" for reason in int8.forced)
    tested = f"the {test.examples} test {kind.plural}"
    elsewhere = WITHOUT_VNNI if int8.target == "x86-vnni" else ""
    return f"""## int8, for {int8.target}

| | |
|---|---|
| loses | {test.drop:.2f} points of accuracy ({test.low:.2f} – {test.high:.2f}), on {tested} |
| | right in float32 only: {test.lost}; in int8 only: {test.gained}; {int8.max_drop:g} points were allowed |
| latency | {latency}, one thread, one {kind.noun}{measured} |
| nodes left in float32 | {len(int8.kept)} of {int8.nodes}: {kept} |
{forced}{elsewhere}
"""
