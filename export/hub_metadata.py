"""The metadata block of a model card, by which the Hugging Face Hub finds, labels and compares models.

Source: https://huggingface.co/docs/hub/model-cards#model-card-metadata.
"""

from __future__ import annotations

import json
from typing import Any

from zoo.artifact import Manifest
from zoo.data.source import short_name
from zoo.input import kind_of

LICENSES = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}
    | {"gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "openrail", "unlicense"}
)
"""Licenses by their names on the Hub, which are SPDX identifiers in lower case; all others are `other` there."""


def block(name: str, manifest: Manifest) -> str:
    """Return the block in YAML, between lines of three dashes; values are written as JSON, which is valid YAML."""
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in _values(name, manifest).items()]
    return "\n".join(["---", *lines, "---", ""])


def _values(name: str, manifest: Manifest) -> dict[str, Any]:
    stated = manifest.license["weights"]
    metadata: dict[str, Any] = {"license": "other", "license_name": stated}
    if stated.lower() in LICENSES:
        metadata = {"license": stated.lower()}
    pipeline = kind_of(manifest.model.preprocessing).pipelines.get(manifest.model.task)
    if pipeline:
        metadata["pipeline_tag"] = pipeline
    metadata["tags"] = [manifest.model.family, *manifest.formats]
    if pipeline and manifest.score and manifest.data:
        metadata["model-index"] = [{"name": name, "results": _results(pipeline, manifest)}]
    return metadata


def _results(pipeline: str, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the score of each format on the test split."""
    assert manifest.data is not None
    source = short_name(manifest.data.source)
    return [
        {
            "task": {"type": pipeline},
            "dataset": {"name": source, "type": source, "split": "test"},
            "metrics": [{"type": score.metric, "name": f"{score.metric} of {name}", "value": round(score.value, 6)}],
        }
        for name, score in manifest.score.items()
    ]
