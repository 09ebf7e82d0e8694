"""`--data`: from a source's name to a data set."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from zoo.data.dataset import Dataset, Images
from zoo.data.example import Example, Found
from zoo.data.splits import deal
from zoo.errors import ZooError, did_you_mean, listed
from zoo.recipe import Split

FORMS = ("digits", "tfds:NAME[:VERSION]", "folder:PATH")


def silent(text: str) -> None:
    """Say nothing."""


def load(
    source: str,
    *,
    split: Split,
    data_dir: Path | None = None,
    bad_images: Literal["error", "skip"] = "error",
    say: Callable[[str], None] = silent,
) -> Dataset:
    """The data set that `source` names: `digits`, `tfds:NAME[:VERSION]` or `folder:PATH`.

    `split` says how splits are drawn where the source lacks them. Only `tfds:` takes `data_dir`, the folder of
    prepared data sets; only `folder:` looks at `bad_images`, what to do about images that cannot be read. `say` is
    told in a line each what the source leaves out, and of images that are there twice.

    Raises:
        ZooError: there is no such source, or it is not fit to train on.
    """
    found = find(source, data_dir, bad_images, say)
    say_copies(found.examples, say)
    dealt = deal(found.examples, found.labels, split)
    train, validation, test = map(images, dealt)
    channels = 1 if all(example.gray for example in found.examples) else 3
    sizes = {(example.height, example.width) for example in found.examples}
    return Dataset(
        source=found.source,
        data_dir=found.data_dir,
        labels=found.labels,
        train=train,
        validation=validation,
        test=test,
        shape=(*sizes.pop(), channels) if len(sizes) == 1 else None,
        channels=channels,
        fingerprint=fingerprint(found.labels, dealt),
        skipped=found.skipped,
        license=found.license,
    )


def find(
    source: str, data_dir: Path | None, bad_images: Literal["error", "skip"], say: Callable[[str], None] = silent
) -> Found:
    """The examples of a source, each read by the module that knows it.

    Raises:
        ZooError: there is no such source, it takes no `data_dir`, or it cannot be read.
    """
    kind, _, rest = source.partition(":")
    if data_dir is not None and (source == "digits" or (kind == "folder" and rest)):
        where = "come with scikit-learn" if source == "digits" else f"are in {rest}, as --data says"
        raise ZooError(f"these data {where}: leave --data-dir out")
    if source == "digits":
        from zoo.data import digits

        return digits.find()
    if kind == "tfds" and rest:
        from zoo.data import tfds

        return tfds.find(rest, data_dir, say)
    if kind == "folder" and rest:
        from zoo.data import folder

        return folder.find(Path(rest), bad_images, say)
    kinds = [form.partition(":")[0] for form in FORMS]
    hint = "" if kind in kinds else f"; {did_you_mean(kind, kinds)}"
    raise ZooError(f"there are no data '{source}': write {', '.join(FORMS[:-1])} or {FORMS[-1]}{hint}")


def say_copies(examples: Sequence[Example], say: Callable[[str], None]) -> None:
    """Count the images that are there more than once, and those of them that are in several classes."""
    classes: dict[bytes, set[int]] = defaultdict(set)
    for example in examples:
        classes[example.digest].add(example.label)
    if len(classes) < len(examples):
        say(f"{len(examples) - len(classes)} of {len(examples)} images are copies of others, byte for byte")
    several = [example.name for example in examples if len(classes[example.digest]) > 1]
    if several:
        say(f"{len(several)} images are in several classes: {listed(several, most=3)}: remove them from the wrong ones")


def images(examples: Sequence[Example]) -> Images:
    """One split of the data set."""
    return Images(
        labels=np.array([example.label for example in examples], np.int64),
        read=lambda index: examples[index].read(),
        names=lambda index: examples[index].name,
        shapes=np.array([(example.height, example.width) for example in examples], np.int32).reshape(-1, 2),
        sizes=np.array([example.size for example in examples], np.int64),
        digests=np.frombuffer(b"".join(example.digest[:8] for example in examples), "<u8").astype(np.uint64),
        held=all(isinstance(example.encoded, bytes) for example in examples),
        damage=lambda index: examples[index].damage,
    )


def fingerprint(labels: Sequence[str], splits: Sequence[Sequence[Example]]) -> str:
    """A SHA-256 over the class names and, split by split, every example's label and bytes as they are in the source."""
    digest = hashlib.sha256(json.dumps(labels).encode())
    for examples in splits:
        digest.update(len(examples).to_bytes(8, "little"))
        for example in examples:
            digest.update(example.label.to_bytes(8, "little") + example.digest)
    return digest.hexdigest()
