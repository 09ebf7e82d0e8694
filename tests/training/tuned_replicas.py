"""A process of its own that trains on two replicas: `python tuned_replicas.py FOLDER FAMILY DATA [KEY=VALUE ...]`.

It prints which of the datasets that it reads TensorFlow tunes: a line with True, False or None for each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

from zoo.training import start
from zoo.training.request import DataRequest, Execution, TrainingRequest

begin = tf.data.Dataset.__iter__


def recorded(dataset: Any) -> Any:
    """Begin to read a dataset, and print whether TensorFlow tunes it."""
    print(dataset.options().autotune.enabled)
    return begin(dataset)


def main() -> None:
    """Train."""
    folder, family, source, *settings = sys.argv[1:]
    tf.data.Dataset.__iter__ = recorded
    request = TrainingRequest(family=family, data=DataRequest(source), settings=settings, out=Path(folder))
    start.start(request, Execution(devices=2), lambda model: None)


if __name__ == "__main__":
    main()
