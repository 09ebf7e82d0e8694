"""Hints for misspelled keys of a recipe, and for the names that other libraries give to them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

OTHER_NAMES = {
    "learning_rate": "optimizer.lr",
    "lr_schedule": "schedule.shape",
    "lr_scheduler": "schedule.shape",
    "scheduler": "schedule.shape",
    "schedule": "schedule.shape",
    "warmup": "schedule.warmup_epochs",
    "warmup_steps": "schedule.warmup_epochs",
    "optimizer": "optimizer.name",
    "wd": "optimizer.weight_decay",
    "clipnorm": "optimizer.clip_norm",
    "grad_clip": "optimizer.clip_norm",
    "beta_1": "optimizer.momentum",
    "batch": "batch_size",
    "num_epochs": "epochs",
    "dropout_rate": "network.dropout",
    "smoothing": "label_smoothing",
    "gradient_accumulation_steps": "accumulate",
    "early_stopping": "patience",
    "mixed_precision": "precision",
    "dtype": "precision",
    "random_state": "seed",
    "ema": "ema_decay",
}
"""Names of settings in Keras, PyTorch, timm, transformers and scikit-learn, and the key of a recipe for each."""

CLOSE = 0.8
"""The least similarity of two names, as `difflib` measures it, at which one may be a misspelling of the other."""


def meant(key: str, known: Iterable[str]) -> str:
    """Return the keys that an unknown key may mean, as a question; if there are none, list the known keys.

    The first rule that finds a key counts: a name of another library, the same last part, a similar last part. The list
    has the keys of the section that the unknown key names; if there is no such section, it has all sections.
    """
    names = sorted(known)
    candidates = _candidates(key, names)
    if candidates:
        return f"did you mean {' or '.join(repr(candidate) for candidate in candidates)}?"
    sections = {f"{name.partition('.')[0]}.…" if "." in name else name: None for name in names}
    within = [name for name in names if name.startswith(f"{key.partition('.')[0]}.")]
    return f"known: {', '.join(within or sections)}"


def _candidates(key: str, names: list[str]) -> list[str]:
    last = {name: name.rpartition(".")[2] for name in names}
    wanted = key.rpartition(".")[2]
    if OTHER_NAMES.get(wanted) in names:
        return [OTHER_NAMES[wanted]]
    equal = [name for name in names if last[name] == wanted or name.replace(".", "_") == key.replace(".", "_")]
    if equal:
        return equal
    similar = difflib.get_close_matches(wanted, last.values(), n=1, cutoff=CLOSE)
    return [name for name in names if last[name] in similar]
