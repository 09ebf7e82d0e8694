"""The source `tfds`: datasets that TensorFlow Datasets has prepared, read offline. Only this module imports it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import input as inputs
from zoo.data.dataset import in_memory
from zoo.data.example import Example, RawDataset, Unreadable
from zoo.data.names import shown
from zoo.data.prefetch import map_ahead
from zoo.data.reading import untuned
from zoo.data.source import Source
from zoo.data.splits import SPLIT_NAMES
from zoo.errors import ZooError, did_you_mean, listed
from zoo.files import expanded
from zoo.tensorflow_setup import import_tensorflow
from zoo.text import Say

if TYPE_CHECKING:
    from zoo.description import Model
    from zoo.inputs.table.records import Field

ARGUMENT = re.compile(r"(?P<name>\w+(?:/\w[\w.-]*)?)(?::(?P<version>\d+\.\d+\.\d+))?", re.ASCII)
VERSION = re.compile(r"\d+\.\d+\.\d+", re.ASCII)

BYTES_BEFORE_RECORD, BYTES_AFTER_RECORD = 12, 4
"""The bytes around each record in a TFRecord file: before it, its length and a checksum; after it, its own checksum."""

READ_AHEAD = 64


@dataclass(frozen=True)
class Features:
    """The features of a record to train on: example key, TFDS's feature of it, label key, labels."""

    example: str
    stated: Any
    label: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record: its split, its name, its features by key, its bytes, and their position in the record file."""

    split: str
    name: str
    values: Any
    content: bytes
    path: str
    offset: int


@dataclass(frozen=True, slots=True)
class LabeledRecord(Record):
    """A record with its label and the value of the feature that is the example."""

    label: int
    value: Any


Inspected = tuple[Example, Any]


@dataclass(frozen=True)
class Stored:
    """The way in which TFDS stores examples of a kind.

    Attributes:
        feature: the name of TFDS's class of features.
        reason: called with a TFDS feature, returns why zoo cannot read it; empty if it can.
        inspect: finds damage in a record; raises ZooError if it cannot be read.
    """

    feature: str
    reason: Callable[[Any], str]
    inspect: Callable[[LabeledRecord, Features], Inspected]


def _reason_against_images(feature: Any) -> str:
    return "" if feature.np_dtype == np.uint8 else f"are {np.dtype(feature.np_dtype)}: uint8 is needed"


def _inspect_image(record: LabeledRecord, features: Features) -> Inspected:
    from zoo.inputs.image.labeled_image import inspect_image

    (encoded,) = record.value.bytes_list.value or [b""]
    return inspect_image(
        encoded,
        split=record.split,
        target=record.label,
        name=record.name,
        path=record.path,
        offset=record.offset + record.content.find(encoded),
    )


def _reason_against_clips(feature: Any) -> str:
    return "" if feature.sample_rate else "do not state their sample rate: write them to files, and use folder:PATH"


def _inspect_clip(record: LabeledRecord, features: Features) -> Inspected:
    from zoo.inputs.audio.data import described
    from zoo.inputs.audio.records import RecordClip, encoded

    channels = features.stated.shape[1] if len(features.stated.shape) > 1 else 1
    rate = int(features.stated.sample_rate)
    content = encoded(record.value, rate, channels)
    clip = RecordClip(record.path, record.offset, len(record.content), features.example, rate, channels)
    return described(content, clip, split=record.split, target=record.label, name=record.name), content


def _inspect_text(record: LabeledRecord, features: Features) -> Inspected:
    from zoo.inputs.text.data import described
    from zoo.inputs.text.preprocessing import NOT_UTF8

    (encoded,) = record.value.bytes_list.value or [b""]
    try:
        text = encoded.decode()
    except UnicodeDecodeError:
        raise ZooError(NOT_UTF8) from None
    return described(text, text, split=record.split, target=record.label, name=record.name), text


STORED = {
    "image": Stored("Image", _reason_against_images, _inspect_image),
    "audio": Stored("Audio", _reason_against_clips, _inspect_clip),
    "text": Stored("Text", lambda feature: "", _inspect_text),
}
"""The form in which TFDS stores each kind of input."""


def read(
    argument: str,
    say: Say,
    kind: str,
    data_dir: Path | None = None,
    target: str | None = None,
    model: Model | None = None,
) -> RawDataset:
    """Read every labeled example of a prepared dataset. No code of its builder is run.

    For tables, each scalar feature is a column, and a vector is several columns; they are read like those of a file. If
    a `model` is to be measured on the rows, their targets are classes or values as the model's are.

    Args:
        argument: `NAME` or `NAME:VERSION`; NAME may be `DATASET/CONFIG`. Without a version, the newest one is read.
        say: called with a line about splits and examples that are left out.
        kind: the kind of input.
        data_dir: the folder of prepared datasets, or a folder below it: that of this dataset or of its version. The
            default is the variable TFDS_DATA_DIR, or, if it is not set, the default of TFDS itself.
        target: the column of a table to predict; by default the supervised one according to TFDS, else the only class.
        model: the description of a model that is to be measured on the examples; None for others.

    Raises:
        ZooError: the dataset is not prepared there, has no examples of the kind with classes, or has a damaged file; or
            `target` is given for a kind other than tables.
    """
    match = ARGUMENT.fullmatch(argument)
    if not match:
        raise ZooError(
            f"'{argument}' names no TFDS dataset: write tfds:NAME or tfds:NAME:VERSION, such as tfds:mnist:3.0.1"
        )
    if target is not None and kind != "table":
        raise ZooError(
            f"--target {shown(target)}: TFDS itself states the classes of {inputs.find(kind).plural}: leave it out"
        )
    root, given_version = root_above(prepared_root(data_dir), match["name"])
    folder = prepared_folder(root, match["name"], match["version"] or given_version)
    info = read_info(folder)
    splits = {name: split for name, split in info.splits.items() if name in SPLIT_NAMES}
    if "train" not in splits:
        raise ZooError(f"{folder} has no split 'train' (it has {', '.join(info.splits)}): use a dataset with one")
    for name in info.splits:
        if name not in SPLIT_NAMES:
            split_names = listed(SPLIT_NAMES, len(SPLIT_NAMES))
            say(f"left out: the split '{name}' of {folder}, which is not one of {split_names}")
    records = (record for name, split in splits.items() for record in read_split(name, split))
    name_and_version = f"{match['name']}:{folder.name}"
    if kind == "table":
        return dataclasses.replace(
            table(info, folder, records, target, say, model),
            argument=name_and_version,
            data_dir=str(root),
            license=license(info),
        )
    features = example_and_class(info, folder, kind)
    labeled_records = (labeled_record(record, features) for record in records)
    examples, unreadable = in_memory(
        map_ahead(lambda record: inspect_record(record, features, kind), labeled_records, READ_AHEAD)
    )
    # A test split whose labels are withheld has the label -1 everywhere; no accuracy can be measured on it.
    labeled = [example for example in examples if example.target >= 0]
    if len(labeled) < len(examples):
        withheld = len(examples) - len(labeled)
        say(f"left out: {withheld} {inputs.find(kind).plural} of {folder} whose labels are withheld")
    unknown = [example.name for example in labeled if example.target >= len(features.labels)]
    if unknown or not any(example.split == "train" for example in labeled):
        wrong = f"{unknown[0]} has none of the {len(features.labels)} classes" if unknown else "no label in train"
        raise ZooError(f"{folder} has no usable labels ({wrong}): use another dataset")
    return RawDataset(
        kind=kind,
        labels=features.labels,
        examples=labeled,
        unreadable=tuple(example for example in unreadable if example.target >= 0),
        argument=name_and_version,
        data_dir=str(root),
        license=license(info),
    )


def prepared_root(data_dir: Path | None) -> Path:
    """Return the absolute path of the folder of prepared datasets."""
    if data_dir is None:
        import tensorflow_datasets

        data_dir = Path(os.environ.get("TFDS_DATA_DIR") or tensorflow_datasets.core.constants.DATA_DIR)
    return expanded(data_dir).resolve()


def root_above(given: Path, name: str) -> tuple[Path, str | None]:
    """Return the folder of prepared datasets, and the version if `given` is the folder of one version.

    The first is `given` itself, or a folder above it if `given` is a folder of the dataset `name`.
    """
    parts = Path(name).parts
    if versions(given / name):
        return given, None
    for root in given.parents[: len(parts) + 1]:
        below = given.relative_to(root).parts
        versions_in_root = versions(root / name) if below[: len(parts)] == parts[: len(below)] else []
        version = below[-1] if len(below) > len(parts) else None
        if versions_in_root and (version is None or version in versions_in_root):
            return root, version
    return given, None


def prepared_folder(root: Path, name: str, version: str | None) -> Path:
    """Return the folder of one version of a dataset, by default the newest.

    Raises:
        ZooError: the dataset or the version is not prepared in `root`.
    """
    instruction = f"prepare it with 'tfds build {name} --data_dir {root}', or say where it is with --data-dir"
    prepared = versions(root / name)
    if not prepared:
        others = [folder.name for folder in root.glob("*") if versions(folder)]
        hint = f" ({did_you_mean(name, others)})" if others else ""
        raise ZooError(f"no dataset '{name}' is prepared in {root}{hint}: {instruction}")
    if version is None:
        version = max(prepared, key=lambda text: tuple(map(int, text.split("."))))
    if version not in prepared:
        raise ZooError(f"{root} holds {name} {', '.join(prepared)}, not {version}: ask for that, or {instruction}")
    return root / name / version


def versions(folder: Path) -> list[str]:
    """Return the versions of a dataset that are prepared, sorted as text."""
    info_files = folder.glob("*/dataset_info.json")
    return sorted(path.parent.name for path in info_files if VERSION.fullmatch(path.parent.name))


def read_info(folder: Path) -> Any:
    """Read the `tfds.core.DatasetInfo` of a prepared folder, without the code of its builder.

    Raises:
        ZooError: the folder cannot be read, or its records are in another format than TFRecord.
    """
    import_tensorflow()
    import tensorflow_datasets

    try:
        info = tensorflow_datasets.builder_from_directory(folder).info
    except Exception as error:  # whatever the JSON and protobuf readers of TFDS raise
        raise ZooError(f"{folder} cannot be read ({str(error)[:80]!r}): {prepare_again(folder)}") from None
    if info.file_format.value != "tfrecord":
        raise ZooError(f"{folder} is in the format {info.file_format.value}: prepare it as tfrecord")
    return info


def example_and_class(info: Any, folder: Path, kind: str) -> Features:
    """Choose the features of a record to train on: the supervised keys, or else the only features of their types.

    Raises:
        ZooError: there is no such feature, there are several, or zoo cannot read the examples.
    """
    from tensorflow_datasets import features as tfds_features

    stored, noun = STORED[kind], inputs.find(kind).noun
    features = dict(info.features.items()) if isinstance(info.features, tfds_features.FeaturesDict) else {}
    examples = [key for key, feature in features.items() if isinstance(feature, getattr(tfds_features, stored.feature))]
    classes = [key for key, feature in features.items() if isinstance(feature, tfds_features.ClassLabel)]
    supervised = info.supervised_keys or ()
    examples = [key for key in examples if key in supervised] or examples
    classes = [key for key in classes if key in supervised] or classes
    for wanted, keys in ((noun, examples), ("class label", classes)):
        if len(keys) != 1:
            raise ZooError(f"{folder} has {len(keys) or 'no'} {wanted} features: one {noun} with one label is needed")
    example_feature, label = features[examples[0]], features[classes[0]]
    if reason := stored.reason(example_feature):
        raise ZooError(f"the {inputs.find(kind).plural} of {folder} {reason}")
    labels = tuple(label.int2str(number) for number in range(label.num_classes))
    return Features(examples[0], example_feature, classes[0], labels)


def read_split(name: str, split: Any) -> Iterator[Record]:
    """Read the records of a split.

    Raises:
        ZooError: a file is missing or damaged.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    # TFDS's own path objects take ten times as long to convert to text.
    paths = [Path(os.fspath(path)) for path in split.filepaths]
    for path, expected in zip(paths, split.shard_lengths, strict=True):
        path_text, count, position = str(path), 0, 0
        for record in read_records(path):
            try:
                values = tf.train.Example.FromString(record).features.feature
            except DecodeError as error:
                raise ZooError(
                    f"record {count} of {path} is not a tf.Example ({error}): {prepare_again(path.parent)}"
                ) from None
            offset = position + BYTES_BEFORE_RECORD
            yield Record(SPLIT_NAMES[name], f"{name} {count} of {path.name}", values, record, path_text, offset)
            count += 1
            position += BYTES_BEFORE_RECORD + len(record) + BYTES_AFTER_RECORD
        if count != expected:
            raise ZooError(f"{path} holds {count} records, not {expected}: {prepare_again(path.parent)}")


def labeled_record(record: Record, features: Features) -> LabeledRecord:
    """Return a record with its example and its label.

    Raises:
        ZooError: the record lacks one of them.
    """
    try:
        value = _feature_value(record.values, features.example)
        label = record.values[features.label].int64_list.value[0]
    except IndexError as error:
        again = prepare_again(Path(record.path).parent)
        raise ZooError(f"{record.name} has no example with a label ({error}): {again}") from None
    path_and_offset = (record.path, record.offset)
    return LabeledRecord(record.split, record.name, record.values, record.content, *path_and_offset, label, value)


def table(
    info: Any, folder: Path, records: Iterable[Record], target: str | None, say: Say, model: Model | None
) -> RawDataset:
    """Return records as rows of a table, with the column `target` as their targets.

    Rows whose class is withheld are left out. If a `model` is to be measured on the rows, it decides whether targets
    are classes or values.

    Raises:
        ZooError: the records have no scalars, or no such column.
    """
    from zoo.inputs.table.data import dataset_of_frame
    from zoo.inputs.table.frame import Frame
    from zoo.inputs.table.records import fields, row
    from zoo.inputs.table.targets import stated_targets

    features = dict(_flat_features(info.features))
    columns = fields(features)
    not_scalars = [key for key in features if key not in {column.key for column in columns.values()}]
    if not_scalars:
        say(f"left out: features of {folder} that are not scalars: {listed(map(shown, not_scalars), most=5)}")
    target_columns = target or _supervised_column(info, columns, folder)
    classes = frozenset(name for name, column in columns.items() if column.is_class)
    targets = {name for name, _ in stated_targets(target_columns, [*columns])}
    of_classes = [index for index, name in enumerate(columns) if name in targets & classes]
    rows, names, splits, withheld = [], [], [], 0
    for record in records:
        try:
            cells = row(record.values, columns)
        except (ValueError, ZooError) as error:
            raise ZooError(f"{record.name} of {folder} {error}: {prepare_again(folder)}") from None
        if any(cells[index] is None for index in of_classes):
            withheld += 1
            continue
        rows.append(cells)
        names.append(record.name)
        splits.append(record.split)
    if withheld:
        say(f"left out: {withheld} rows of {folder} whose labels are withheld")
    return dataset_of_frame(Frame(tuple(columns), rows, names, splits, classes), target_columns, "", None, model)


def _flat_features(features: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each feature in the order of the keys; `/` joins the keys of nested features."""
    from tensorflow_datasets import features as tfds_features

    # A Sequence of a FeaturesDict also has its methods. Features that are read from a file are in no particular order.
    for key, feature in sorted(features.items()) if isinstance(features, tfds_features.FeaturesDict) else ():
        if isinstance(feature, tfds_features.FeaturesDict):
            yield from _flat_features(feature, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", feature


def _supervised_column(info: Any, columns: Mapping[str, Field], folder: Path) -> str:
    """Return the column to predict according to TFDS, or the only column of classes.

    Raises:
        ZooError: there is no such column.
    """
    keys = info.supervised_keys or (None, None)
    supervised = [name for name, column in columns.items() if column.key == keys[1]]
    classes = [name for name, column in columns.items() if column.is_class]
    for candidates in (supervised, classes):
        if len(candidates) == 1:
            return candidates[0]
    raise ZooError(
        f"{folder} does not say what to predict: name the column with --target "
        f"({listed(map(shown, columns), most=8) or 'it has no scalars'})"
    )


def _feature_value(values: Any, key: str) -> Any:
    """Return a feature of a record; raise IndexError if it is missing or has no list of values."""
    if values[key].WhichOneof("kind") is None:
        raise IndexError(f"no '{key}'")
    return values[key]


def inspect_record(record: LabeledRecord, features: Features, kind: str) -> Inspected | Unreadable:
    """Inspect the example of a record."""
    try:
        return STORED[kind].inspect(record, features)
    except ZooError as error:
        return Unreadable(record.split, record.label, record.name, str(error))


def read_records(path: Path) -> Iterator[bytes]:
    """Read the records of a TFRecord file and check their checksums.

    Raises:
        ZooError: the file is missing or damaged.
    """
    import tensorflow as tf

    try:
        # Without a buffer size, tensorflow 2.21 logs a line about its default.
        batches = tf.data.TFRecordDataset(str(path), buffer_size=2**20).batch(256)
        for batch in untuned(batches).as_numpy_iterator():
            yield from batch
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        reason = "is damaged or cut short" if isinstance(error, tf.errors.DataLossError) else "is missing"
        raise ZooError(f"{path} {reason}: {prepare_again(path.parent)}") from None


def prepare_again(folder: Path) -> str:
    """Say how to fix a prepared folder that is damaged: ROOT/NAME/VERSION, or ROOT/NAME/CONFIGURATION/VERSION."""
    try:
        info = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
        parts = [info["name"], *([info["configName"]] if "configName" in info else [])]
    except (OSError, ValueError, KeyError, TypeError):
        parts = [folder.parent.name]
    if [*folder.parts[-1 - len(parts) : -1]] != parts:
        parts = [folder.parent.name]
    name, root = "/".join(parts), folder.parents[len(parts)]
    return f"remove {folder} and prepare it again with 'tfds build {name} --data_dir {root}'"


def license(info: Any) -> str:
    """Return the license that TFDS states, on one line, or where to look for it."""
    license_text = (info.redistribution_info.license if info.redistribution_info else "") or ""
    return " ".join(license_text.split()) or f"not stated by TFDS; see {info.homepage or info.full_name}"


SOURCE = Source(
    scheme="tfds",
    kinds=(*STORED, "table"),
    argument="NAME[:VERSION]",
    summary="a dataset that TensorFlow Datasets has prepared",
    read=read,
    infers_targets=True,
    options={
        "data_dir": "the folder of prepared datasets [default: the variable TFDS_DATA_DIR, else that of TFDS]",
        "target": "the column of a table to predict [default: the one that TFDS states]",
    },
    short_name=lambda argument: argument.partition(":")[0],
)
