"""The imports of the process that `tests.processes` forks: everything that a training needs, without any other work."""

from __future__ import annotations

import signal

from zoo.tensorflow_setup import import_keras

# A command that is ended ends the children of its process, which in a test is that of the tests.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
import_keras()

import matplotlib.pyplot  # noqa: E402, F401
import onnxruntime  # noqa: E402, F401

import zoo.cli  # noqa: E402
import zoo.export.build  # noqa: E402
import zoo.training.start  # noqa: E402, F401
