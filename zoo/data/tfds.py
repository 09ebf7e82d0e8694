"""Data sets that TensorFlow Datasets has prepared, read offline. The one module that imports it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.example import Example, Found, examine, held_where_they_fit
from zoo.errors import ZooError, did_you_mean, listed

SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
"""What TFDS may call a split, and the split that it is; others are left alone."""

REQUEST = re.compile(r"(?P<name>\w+(?:/\w[\w.-]*)?)(?::(?P<version>\d+\.\d+\.\d+))?", re.ASCII)
VERSION = re.compile(r"\d+\.\d+\.\d+", re.ASCII)
NUMBER_BEFORE_RECORD, NUMBER_AFTER_RECORD = 12, 4
"""Bytes of a TFRecord around its content: length and its checksum, the content's checksum."""


@dataclass(frozen=True)
class Features:
    """The keys of the image and of its class in a record, and the names of the classes."""

    image: str
    label: str
    labels: tuple[str, ...]


def find(request: str, data_dir: Path | None, say: Callable[[str], None]) -> Found:
    """Every labeled image of a prepared data set: `NAME` or `NAME:VERSION`; NAME may be `DATASET/CONFIG`.

    `data_dir` defaults to TFDS_DATA_DIR, and that to what TFDS itself takes; the folder of the data set or of its
    version, which lie below that, will do. Without a version the newest is read. `say` is told what is left out.

    Raises:
        ZooError: it is not prepared there, has no images with classes, or a file of it is damaged.
    """
    match = REQUEST.fullmatch(request)
    if not match:
        raise ZooError(
            f"'{request}' names no TFDS data set: write tfds:NAME or tfds:NAME:VERSION, such as tfds:mnist:3.0.1"
        )
    root, within = above(prepared_root(data_dir), match["name"])
    folder = prepared_folder(root, match["name"], match["version"] or within)
    info = read_info(folder)
    features = image_and_class(info, folder)
    splits = {name: split for name, split in info.splits.items() if name in SPLITS}
    if "train" not in splits:
        raise ZooError(f"{folder} has no split 'train' (it has {', '.join(info.splits)}): use data that have")
    for name in info.splits:
        if name not in SPLITS:
            say(f"left out: the split '{name}' of {folder}, which is none of {listed(SPLITS, len(SPLITS))}")
    examples = held_where_they_fit(item for name, split in splits.items() for item in read_split(name, split, features))
    # Test splits whose labels are withheld have -1 everywhere: they can measure nothing.
    labeled = [example for example in examples if example.label >= 0]
    if len(labeled) < len(examples):
        say(f"left out: {len(examples) - len(labeled)} images of {folder} whose labels are withheld")
    outside = [example.name for example in labeled if example.label >= len(features.labels)]
    if outside or not any(example.split == "train" for example in labeled):
        raise ZooError(f"{folder} has no usable labels ({outside[0] if outside else 'train'}): use data that have")
    return Found(
        source=f"tfds:{match['name']}:{folder.name}",
        data_dir=str(root),
        labels=features.labels,
        examples=labeled,
        skipped=(),
        license=license(info),
    )


def prepared_root(data_dir: Path | None) -> Path:
    """The folder in which data sets were prepared."""
    if data_dir is None:
        import tensorflow_datasets

        data_dir = Path(os.environ.get("TFDS_DATA_DIR") or tensorflow_datasets.core.constants.DATA_DIR)
    return data_dir.expanduser().resolve()


def above(given: Path, name: str) -> tuple[Path, str | None]:
    """The folder of prepared data sets, and the version where `given` is the folder of one.

    It is `given`, or a folder above it where `given` is one of those of the data set `name` itself.
    """
    parts = Path(name).parts
    if versions(given / name):
        return given, None
    for root in given.parents[: len(parts) + 1]:
        below = given.relative_to(root).parts
        known = versions(root / name) if below[: len(parts)] == parts[: len(below)] else []
        version = below[-1] if len(below) > len(parts) else None
        if known and (version is None or version in known):
            return root, version
    return given, None


def prepared_folder(root: Path, name: str, version: str | None) -> Path:
    """The folder of a version of a data set; of the newest when none is asked for."""
    how = f"prepare it with 'tfds build {name} --data_dir {root}', or say where it is with --data-dir"
    prepared = versions(root / name)
    if not prepared:
        others = [folder.name for folder in root.glob("*") if versions(folder)]
        hint = f" ({did_you_mean(name, others)})" if others else ""
        raise ZooError(f"no data set '{name}' is prepared in {root}{hint}: {how}")
    if version is None:
        version = max(prepared, key=lambda text: tuple(map(int, text.split("."))))
    if version not in prepared:
        raise ZooError(f"{root} holds {name} {', '.join(prepared)}, not {version}: ask for that, or {how}")
    return root / name / version


def versions(folder: Path) -> list[str]:
    """The versions of a data set that are prepared, as they sort."""
    found = folder.glob("*/dataset_info.json")
    return sorted(path.parent.name for path in found if VERSION.fullmatch(path.parent.name))


def read_info(folder: Path) -> Any:
    """The `tfds.core.DatasetInfo` of a prepared folder. No builder's code is run: the folder says everything."""
    import tensorflow_datasets

    try:
        info = tensorflow_datasets.builder_from_directory(folder).info
    except Exception as error:  # TFDS passes on whatever its readers of JSON and protobuf raise.
        raise ZooError(f"{folder} cannot be read ({str(error)[:80]!r}): {prepare_again(folder)}") from None
    if info.file_format.value != "tfrecord":
        raise ZooError(f"{folder} is in the format {info.file_format.value}: prepare it as tfrecord")
    return info


def image_and_class(info: Any, folder: Path) -> Features:
    """The image and the class of a record: the supervised keys, or else the only feature of each kind."""
    from tensorflow_datasets import features as kinds

    features = dict(info.features.items()) if isinstance(info.features, kinds.FeaturesDict) else {}
    images = [key for key, feature in features.items() if isinstance(feature, kinds.Image)]
    classes = [key for key, feature in features.items() if isinstance(feature, kinds.ClassLabel)]
    supervised = info.supervised_keys or ()
    images = [key for key in images if key in supervised] or images
    classes = [key for key in classes if key in supervised] or classes
    for what, keys in (("image", images), ("class label", classes)):
        if len(keys) != 1:
            raise ZooError(f"{folder} has {len(keys) or 'no'} {what} features: one image with one label is needed")
    if features[images[0]].np_dtype != np.uint8:
        raise ZooError(f"the images of {folder} are {np.dtype(features[images[0]].np_dtype)}: uint8 is needed")
    label = features[classes[0]]
    labels = tuple(label.int2str(number) for number in range(label.num_classes))
    if len(labels) < 2:
        raise ZooError(f"{folder} has one class only: at least two are needed")
    return Features(images[0], classes[0], labels)


def read_split(name: str, split: Any, features: Features) -> Iterator[tuple[Example, bytes]]:
    """What `examine` says of each image of a split, and where in the record files it lies."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    # TFDS has paths of its own, which take ten times as long to name.
    paths = [Path(os.fspath(path)) for path in split.filepaths]
    for path, expected in zip(paths, split.shard_lengths, strict=True):
        place, records, position = str(path), 0, 0
        for record in read_records(path):
            try:
                values = tf.train.Example.FromString(record).features.feature
                encoded = values[features.image].bytes_list.value[0]
                label = values[features.label].int64_list.value[0]
                example = examine(
                    encoded,
                    split=SPLITS[name],
                    label=label,
                    name=f"{name} {records} of {path.name}",
                    path=place,
                    offset=position + NUMBER_BEFORE_RECORD + record.find(encoded),
                )
            except (ZooError, IndexError, DecodeError) as error:
                raise ZooError(f"record {records} of {path} holds no labeled image ({error})") from None
            yield example
            records += 1
            position += NUMBER_BEFORE_RECORD + len(record) + NUMBER_AFTER_RECORD
        if records != expected:
            raise ZooError(f"{path} holds {records} records, not {expected}: {prepare_again(path.parent)}")


def read_records(path: Path) -> Iterator[bytes]:
    """The contents of a TFRecord file, their checksums checked."""
    import tensorflow as tf

    try:
        # Without a buffer size tensorflow 2.21 writes a line about its default.
        for batch in tf.data.TFRecordDataset(str(path), buffer_size=2**20).batch(256).as_numpy_iterator():
            yield from batch
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        reason = "is damaged or cut short" if isinstance(error, tf.errors.DataLossError) else "is missing"
        raise ZooError(f"{path} {reason}: {prepare_again(path.parent)}") from None


def prepare_again(folder: Path) -> str:
    """How to mend a prepared folder that is not whole."""
    name = folder.parent.name
    return f"remove {folder} and prepare it again with 'tfds build {name}'"


def license(info: Any) -> str:
    """What TFDS says of the license; where it says nothing, where to ask."""
    stated = (info.redistribution_info.license if info.redistribution_info else "") or ""
    return " ".join(stated.split()) or f"not stated by TFDS; see {info.homepage or info.full_name}"
