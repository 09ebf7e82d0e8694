"""The description of a model in the `metadata_props` of its ONNX file, for clients that have nothing but the file.

The keys are fields of `zoo.description.Model`. `family` and `size` are stored as they are, all others as JSON. No
framework is imported.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from zoo import migration, schema
from zoo.description import Model
from zoo.errors import ZooError, listed
from zoo.task import tasks

TEXTS = ("family", "size")
RECORDS = ("labels", "preprocessing")
OPTIONAL = ("parts", "symbols")
"""Further fields in JSON: a model with several targets has `parts`, a model that writes transcripts has `symbols`."""


def entries(model: Model) -> dict[str, str]:
    """Return the entries that describe a model."""
    fields = schema.to_dict(model)
    in_json = [*RECORDS, *(key for key in OPTIONAL if fields[key])]
    return {key: fields[key] for key in TEXTS} | {key: json.dumps(fields[key]) for key in in_json}


def faults(metadata: Mapping[str, str], model: Model) -> list[str]:
    """Return a line for each entry that is missing, not needed, or different from that of `model`."""
    fields = schema.to_dict(model)
    extra = [key for key in OPTIONAL if key in metadata and not fields[key]]
    lines = [f"metadata_props has '{key}', and the manifest has none" for key in extra]
    for key in entries(model):
        if key not in metadata:
            lines.append(f"metadata_props has no '{key}'")
            continue
        try:
            same = schema.parse(Model, fields | {key: _field(key, metadata)}, key) == model
        except (ValueError, TypeError, RecursionError, ZooError):
            same = False
        if not same:
            lines.append(f"metadata_props and the manifest differ in '{key}': {metadata[key]:.60}")
    return lines


def read(metadata: Mapping[str, str], outputs: Collection[str], file: str) -> Model:
    """Return the description of a model from its ONNX file alone; its counts of parameters and operations are 0.

    Args:
        metadata: the entries of `metadata_props`.
        outputs: the names of the outputs, which tell the task.
        file: the file's name for messages.

    Raises:
        ZooError: entries are missing or damaged, or no task has these outputs.
    """
    try:
        present = [*TEXTS, *RECORDS, *(key for key in OPTIONAL if key in metadata)]
        fields = {key: _field(key, metadata) for key in present}
        if "parts" in fields:
            # The outputs are in the units of the data whatever the scales.
            fields |= {"task": "several", "scales": [{"mean": 0.0, "std": 1.0}] * len(fields["labels"])}
        else:
            fields["task"] = _task_with(outputs, file)
        return schema.parse(Model, {"parameters": 0, "multiply_adds": 0, **fields}, file)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise ZooError(
            f"{file} does not say in its metadata what it takes and what it answers: name a file that zoo exported"
        ) from None


def _task_with(outputs: Collection[str], file: str) -> str:
    """Return the task that has these outputs."""
    for name, task in tasks().items():
        if {*task.outputs} == {*outputs}:
            return name
    raise ZooError(f"{file} answers with {listed(outputs)}, which no task of zoo has: name a file that zoo exported")


def _field(key: str, metadata: Mapping[str, str]) -> Any:
    """Return the value of an entry as `schema.parse` takes it."""
    if key in TEXTS:
        return metadata[key]
    value = json.loads(metadata[key])
    return migration.preprocessing(value) if key == "preprocessing" else value
