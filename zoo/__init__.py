"""Keras networks by name: train them, export them with proof, and measure the files.

The public API: models, their recipes, and the verbs of the command line as functions. Importing `zoo` imports none of
its modules; each name is imported from its home when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.errors import Refused, ZooError
    from zoo.factory import FeatureExtractor, create, load
    from zoo.information import describe, info, list_models, recipes
    from zoo.installation import doctor
    from zoo.recipe import Recipe
    from zoo.verbs.benchmark import Benchmark, benchmark
    from zoo.verbs.copy import copy
    from zoo.verbs.evaluate import EvaluationFolder, evaluate
    from zoo.verbs.export_run import export_run
    from zoo.verbs.predict import predict
    from zoo.verbs.pretrain import pretrain
    from zoo.verbs.publish import publish
    from zoo.verbs.pull import pull
    from zoo.verbs.results import ArtifactFolder, RunFolder
    from zoo.verbs.scale import ScaleFolder, scale
    from zoo.verbs.serve_data import serve_data
    from zoo.verbs.train import train
    from zoo.verbs.train_pruned import PrunedFolder, train_pruned
    from zoo.verbs.train_sizes import SizesFolder, train_sizes
    from zoo.verbs.tune import StudyFolder, tune
    from zoo.verbs.verify import verify

_HOMES = {
    "ArtifactFolder": "zoo.verbs.results",
    "Benchmark": "zoo.verbs.benchmark",
    "EvaluationFolder": "zoo.verbs.evaluate",
    "FeatureExtractor": "zoo.factory",
    "PrunedFolder": "zoo.verbs.train_pruned",
    "Recipe": "zoo.recipe",
    "Refused": "zoo.errors",
    "RunFolder": "zoo.verbs.results",
    "ScaleFolder": "zoo.verbs.scale",
    "SizesFolder": "zoo.verbs.train_sizes",
    "StudyFolder": "zoo.verbs.tune",
    "ZooError": "zoo.errors",
    "benchmark": "zoo.verbs.benchmark",
    "copy": "zoo.verbs.copy",
    "create": "zoo.factory",
    "describe": "zoo.information",
    "doctor": "zoo.installation",
    "evaluate": "zoo.verbs.evaluate",
    "export_run": "zoo.verbs.export_run",
    "info": "zoo.information",
    "list_models": "zoo.information",
    "load": "zoo.factory",
    "predict": "zoo.verbs.predict",
    "pretrain": "zoo.verbs.pretrain",
    "publish": "zoo.verbs.publish",
    "pull": "zoo.verbs.pull",
    "recipes": "zoo.information",
    "scale": "zoo.verbs.scale",
    "serve_data": "zoo.verbs.serve_data",
    "train": "zoo.verbs.train",
    "train_pruned": "zoo.verbs.train_pruned",
    "train_sizes": "zoo.verbs.train_sizes",
    "tune": "zoo.verbs.tune",
    "verify": "zoo.verbs.verify",
}

__all__ = [
    "ArtifactFolder",
    "Benchmark",
    "EvaluationFolder",
    "FeatureExtractor",
    "PrunedFolder",
    "Recipe",
    "Refused",
    "RunFolder",
    "ScaleFolder",
    "SizesFolder",
    "StudyFolder",
    "ZooError",
    "benchmark",
    "copy",
    "create",
    "describe",
    "doctor",
    "evaluate",
    "export_run",
    "info",
    "list_models",
    "load",
    "predict",
    "pretrain",
    "publish",
    "pull",
    "recipes",
    "scale",
    "serve_data",
    "train",
    "train_pruned",
    "train_sizes",
    "tune",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, for completion in a notebook."""
    return [*globals(), *_HOMES]
