"""The source `tfds`: prepared datasets of images, clips, texts and scalars, and refusals of damaged ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

from tests.data.sample_images import encoded, noise
from zoo import container
from zoo.data import dataset
from zoo.data.dataset import Dataset, Examples
from zoo.data.evaluation_data import load_for_evaluation
from zoo.data.load import load
from zoo.data.sources.tfds import prepare_again, prepared_root
from zoo.data.unlabeled import load_unlabeled, load_unlabeled_again, moved_with
from zoo.description import Model, Scale
from zoo.errors import ZooError
from zoo.inputs.audio import wav
from zoo.inputs.image.data import Form
from zoo.inputs.image.decoding import pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing, open_header, open_image
from zoo.inputs.table.columns import Column, TableSettings
from zoo.inputs.table.data import suiting
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.recipe import Split

LABELS = ["tench", "Goldfisch", "shark"]


def prepare(root: Path, name: str, splits: dict[str, list[dict[str, Any]]], **options: Any) -> Path:
    """Let TFDS write a dataset to `root`; return its folder."""
    kinds = tensorflow_datasets.features
    features = {"image": kinds.Image(shape=(None, None, 3)), "label": kinds.ClassLabel(names=LABELS)}
    features |= options.pop("features", {})
    builder = tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=options.pop("version", "1.0.0"),
        features=kinds.FeaturesDict({key: kind for key, kind in features.items() if kind is not None}),
        split_datasets={split: list(enumerate(items)) for split, items in splits.items()},
        data_dir=root,
        disable_shuffling=True,
        **options,
    )
    return Path(builder.data_path)


def examples(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"image": np.asarray(noise("RGB", 9, 7, seed=number)), "label": number % len(LABELS)}
        for number in range(start, start + count)
    ]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`fish` 1.0.0 and 1.10.0, and `birds` with a validation split."""
    root = tmp_path_factory.mktemp("tfds")
    prepare(root, "fish", {"train": examples(30), "test": examples(6, 100)}, homepage="https://fish.example")
    prepare(root, "fish", {"train": examples(30), "test": examples(9, 100)}, version="1.10.0")
    prepare(root, "birds", {"train": examples(30), "validation": examples(6, 100)})
    return root


def load_tfds(source: str, data_dir: Path | None) -> Dataset:
    return load(source, "image", split=Split(), data_dir=data_dir)


def refusal(source: str, data_dir: Path | None) -> str:
    with pytest.raises(ZooError) as refused:
        load_tfds(source, data_dir)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def check_pixels(images: Examples, numbers: list[int]) -> None:
    """Check that `images` are those that `examples` makes of `numbers`."""
    assert images.targets.tolist() == [number % len(LABELS) for number in numbers]
    for index, number in enumerate(numbers):
        np.testing.assert_array_equal(np.asarray(open_image(images.read(index))), noise("RGB", 9, 7, seed=number))


def test_a_prepared_dataset_is_read_offline(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_tfds("tfds:fish:1.0.0", prepared)
    assert data.source == "tfds:fish:1.0.0"
    assert data.data_dir == str(prepared)
    assert data.labels == tuple(LABELS)
    assert data.form == Form((9, 7), 3)
    assert data.license == "not stated by TFDS; see https://fish.example"
    assert data.description().counts == {"train": 27, "validation": 3, "test": 6}
    check_pixels(data.test, list(range(100, 106)))
    monkeypatch.setattr(dataset, "SHARE_OF_MEMORY", 2**60)
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    from_disk = load_tfds("tfds:fish:1.0.0", None)
    assert data.test.in_memory
    assert not from_disk.test.in_memory
    assert from_disk.fingerprint == data.fingerprint
    check_pixels(from_disk.test, list(range(100, 106)))


def test_data_that_exceed_the_limit_of_a_container_stay_on_disk(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_tfds("tfds:fish:1.0.0", prepared)
    monkeypatch.setattr(container, "_memory", lambda root, membership: [(2**30, 2**30 - 4000)])
    from_disk = load_tfds("tfds:fish:1.0.0", prepared)
    assert (data.test.in_memory, from_disk.test.in_memory) == (True, False)
    assert from_disk.fingerprint == data.fingerprint


def test_no_file_is_read_with_tuning(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iterator that ends may wait a minute for the thread that tunes it."""
    tuned: list[bool | None] = []
    begin = tf.data.Dataset.as_numpy_iterator

    def recorded(dataset: Any) -> Any:
        tuned.append(dataset.options().autotune.enabled)
        return begin(dataset)

    monkeypatch.setattr(tf.data.Dataset, "as_numpy_iterator", recorded)
    load_tfds("tfds:fish:1.0.0", prepared)
    assert {*tuned} == {False}


def test_the_newest_version_is_read_when_none_is_asked_for(prepared: Path) -> None:
    data = load_tfds("tfds:fish", prepared)
    assert data.source == "tfds:fish:1.10.0"
    assert len(data.test) == 9


def test_validation_without_test_becomes_the_test(prepared: Path) -> None:
    check_pixels(load_tfds("tfds:birds", prepared).test, list(range(100, 106)))


def test_what_is_not_prepared_is_refused(prepared: Path, tmp_path: Path) -> None:
    message = refusal("tfds:fis", prepared)
    assert f"no dataset 'fis' is prepared in {prepared} (did you mean 'fish'?)" in message
    assert f"tfds build fis --data_dir {prepared}" in message
    assert "--data-dir" in refusal("tfds:fish", tmp_path)
    assert "no dataset" in refusal("tfds:fish", tmp_path / "nowhere")
    assert "holds fish 1.0.0, 1.10.0, not 2.0.0" in refusal("tfds:fish:2.0.0", prepared)
    for request in ("tfds:fish:newest", "tfds:../fish", "tfds:fish/../birds", "tfds:/etc:1.0.0"):
        assert "names no TFDS dataset" in refusal(request, prepared)


def change(root: Path, to: Path, pattern: str, change_bytes: Any) -> Path:
    """A copy of `fish` 1.0.0 with one of its files changed; its root."""
    shutil.copytree(root / "fish/1.0.0", to / "fish/1.0.0")
    (path,) = (to / "fish/1.0.0").glob(pattern)
    changed = change_bytes(path.read_bytes())
    path.unlink()
    if changed is not None:
        path.write_bytes(changed)
    return to


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def without_last_record(content: bytes) -> bytes:
    ends = [0]
    while ends[-1] < len(content):
        ends.append(ends[-1] + 16 + int.from_bytes(content[ends[-1] : ends[-1] + 8], "little"))
    return content[: ends[-2]]


@pytest.mark.parametrize(
    ("pattern", "change_bytes", "said"),
    [
        ("*test.tfrecord*", flipped, "is damaged or cut short"),
        ("*test.tfrecord*", lambda content: content[:-5], "is damaged or cut short"),
        ("*test.tfrecord*", without_last_record, "holds 5 records, not 6"),
        ("*test.tfrecord*", lambda content: None, "is missing"),
        ("dataset_info.json", lambda content: content[:-20], "cannot be read"),
        ("features.json", lambda content: None, "cannot be read"),
    ],
    ids=["flipped", "cut", "record gone", "file gone", "information cut", "features gone"],
)
def test_damage_is_refused(prepared: Path, tmp_path: Path, pattern: str, change_bytes: Any, said: str) -> None:
    message = refusal("tfds:fish", change(prepared, tmp_path, pattern, change_bytes))
    assert said in message
    assert f"prepare it again with 'tfds build fish --data_dir {tmp_path}'" in message


@pytest.mark.parametrize("configuration", ["", "big"])
def test_the_command_that_mends_a_folder_names_its_configuration(configuration: str, tmp_path: Path) -> None:
    folder = tmp_path / "fish" / configuration / "1.0.0"
    folder.mkdir(parents=True)
    stated = {"name": "fish"} | ({"configName": configuration} if configuration else {})
    (folder / "dataset_info.json").write_text(json.dumps(stated), encoding="utf-8")
    name = f"fish/{configuration}" if configuration else "fish"
    assert f"'tfds build {name} --data_dir {tmp_path}'" in prepare_again(folder)


def test_data_without_images_or_classes_are_refused(tmp_path: Path) -> None:
    kinds = tensorflow_datasets.features
    plain = examples(3)
    numbers = [{"image": item["image"], "number": 1} for item in plain]
    prepare(tmp_path, "unlabeled", {"train": numbers}, features={"label": None, "number": kinds.Scalar(np.int64)})
    assert "no class label" in refusal("tfds:unlabeled", tmp_path)
    prepare(tmp_path, "imageless", {"train": [{"label": 1}]}, features={"image": None})
    assert "no image" in refusal("tfds:imageless", tmp_path)
    deep = [{"image": np.zeros((4, 4, 1), np.uint16), "label": 0}]
    prepare(tmp_path, "deep", {"train": deep}, features={"image": kinds.Image(shape=(4, 4, 1), dtype=np.uint16)})
    assert "uint16" in refusal("tfds:deep", tmp_path)
    prepare(tmp_path, "trainless", {"test": plain})
    assert "no split 'train'" in refusal("tfds:trainless", tmp_path)


def test_unlabeled_data_that_moved_with_the_labeled_ones_are_found(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "first")
    labeled = load_tfds("tfds:fish:1.0.0", tmp_path / "first")
    rest = labeled.train.only(np.arange(0))
    images, described = load_unlabeled("tfds:birds", labeled, rest, data_dir=tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "second")
    with pytest.raises(ZooError, match="first"):
        load_unlabeled_again(described, labeled, rest)
    moved = moved_with(described, labeled.source, tmp_path / "second")
    found = load_unlabeled_again(moved, labeled, rest)
    np.testing.assert_array_equal(found.digests, images.digests)


def test_unlabeled_test_images_are_no_test(tmp_path: Path) -> None:
    withheld = [{"image": item["image"], "label": -1} for item in examples(4, 100)]
    prepare(tmp_path, "withheld", {"train": examples(30), "test": withheld})
    data = load_tfds("tfds:withheld", tmp_path)
    assert len(data.test) == 6
    assert set(data.test.targets) == {0, 1, 2}


def test_unusual_images_become_png(tmp_path: Path) -> None:
    files = []
    for number in range(12):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(encoded(noise("CMYK" if number % 2 else "RGB", 9, 7, seed=number), "JPEG"))
        files.append({"image": str(path), "label": number % len(LABELS)})
    prepare(tmp_path, "printed", {"train": files, "test": files})
    data = load_tfds("tfds:printed", tmp_path)
    assert [open_image(data.test.read(index)).format for index in range(12)] == ["JPEG", "PNG"] * 6


def jpegs(folder: Path, count: int, change_bytes: dict[int, Any]) -> list[dict[str, Any]]:
    """Make examples with JPEG files; `change_bytes` changes some of them, by number."""
    items = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        content = encoded(noise("RGB", 64, 64, seed=number), "JPEG")
        path.write_bytes(change_bytes.get(number, bytes)(content))
        items.append({"image": str(path), "label": number % len(LABELS)})
    return items


def test_jpegs_that_libjpeg_complains_about_are_transcoded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def lose_pixels(content: bytes) -> bytes:
        return content[: len(content) * 2 // 3] + b"\xff\xd9"

    def add_bytes(content: bytes) -> bytes:
        return content[:-2] + bytes(100) + b"\xff\xd9"

    prepare(tmp_path, "lossy", {"train": examples(30), "test": jpegs(tmp_path, 9, {1: lose_pixels, 5: add_bytes})})
    test = load_tfds("tfds:lossy", tmp_path).test
    formats = ["JPEG"] * 9
    formats[1] = formats[5] = "PNG"
    assert [open_header(test.read(index)).format for index in range(9)] == formats
    capfd.readouterr()
    for index in range(9):
        pixels_tensor(tf.constant(test.read(index)), Preprocessing(64, 64, 3, (0.5,) * 3, (0.5,) * 3))
    assert capfd.readouterr().err == ""
    assert [index for index in range(9) if test.traits(index).damage] == [1]
    assert "premature end" in test.traits(1).damage.lower()


def test_images_that_cannot_be_read_are_an_error_or_left_out(tmp_path: Path) -> None:
    torn = jpegs(tmp_path, 9, {4: lambda content: content[:300]})
    prepare(tmp_path, "torn", {"train": examples(30), "test": torn})
    message = refusal("tfds:torn", tmp_path)
    assert message.startswith("1 of 39 images of tfds:torn:1.0.0 cannot be read: test 4 of torn-test.tfrecord-")
    assert message.endswith("--bad-examples skip")
    data = load("tfds:torn", "image", split=Split(), data_dir=tmp_path, bad_examples="skip")
    assert len(data.test) == 8
    assert len(data.skipped) == 1


@pytest.mark.parametrize("place", ["fish", "fish/1.0.0", "fish/1.10.0"])
def test_a_data_dir_that_is_too_deep_is_recognized(prepared: Path, place: str) -> None:
    data = load_tfds("tfds:fish:1.0.0", prepared / place)
    assert (data.source, data.data_dir) == ("tfds:fish:1.0.0", str(prepared))
    version = place.partition("/")[2] or "1.10.0"
    assert load_tfds("tfds:fish", prepared / place).source == f"tfds:fish:{version}"


def test_a_configuration_of_a_dataset_is_found_from_every_depth(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "birds/1.0.0", tmp_path / "birds/small/1.0.0")
    for place in (".", "birds", "birds/small", "birds/small/1.0.0"):
        data = load_tfds("tfds:birds/small", tmp_path / place)
        assert (data.source, data.data_dir) == ("tfds:birds/small:1.0.0", str(tmp_path))


@pytest.mark.parametrize("place", ["birds", "birds/1.0.0", "fish/2.0.0"])
def test_the_folder_of_another_dataset_is_not_taken(prepared: Path, place: str) -> None:
    assert "no dataset 'fish' is prepared in" in refusal("tfds:fish", prepared / place)


def test_splits_and_images_that_are_left_out_are_said(tmp_path: Path) -> None:
    withheld = [{"image": item["image"], "label": -1} for item in examples(4, 100)]
    prepare(tmp_path, "odd", {"train": examples(30), "test": withheld, "unsupervised": examples(2, 200)})
    said: list[str] = []
    load("tfds:odd", "image", split=Split(), data_dir=tmp_path, say=said.append)
    assert len(said) == 2
    assert said[0].startswith("left out: the split 'unsupervised' of ")
    assert said[1].startswith("left out: 4 images of ")
    assert "withheld" in said[1]


@pytest.mark.full
def test_fashion_mnist() -> None:
    """Read the real dataset, which TFDS must have prepared in TFDS_DATA_DIR or its default folder."""
    folder = prepared_root(None)
    data = load_tfds("tfds:fashion_mnist", folder)
    assert data.source == "tfds:fashion_mnist:3.0.1"
    assert data.form == Form((28, 28), 1)
    assert data.description().counts == {"train": 54_000, "validation": 6_000, "test": 10_000}
    assert data.labels == tuple((folder / "fashion_mnist/3.0.1/label.labels.txt").read_text().split("\n")[:10])
    assert np.bincount(data.validation.targets).tolist() == [600] * 10


def test_clips_are_read_as_the_samples_that_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = tensorflow_datasets.features
    random = np.random.default_rng(0)
    samples = [random.integers(-(2**15), 2**15, (1_000, 2)) for _ in range(12)]
    stereo = kinds.Audio(shape=(None, 2), sample_rate=8_000)
    items = [{"audio": clip, "label": number % 3} for number, clip in enumerate(samples)]
    prepare(tmp_path, "words", {"train": items, "test": items[:3]}, features={"image": None, "audio": stereo})
    loaded = load("tfds:words", "audio", split=Split(), data_dir=tmp_path)
    monkeypatch.setattr(dataset, "SHARE_OF_MEMORY", 2**60)
    from_disk = load("tfds:words", "audio", split=Split(), data_dir=tmp_path)
    assert not from_disk.test.in_memory
    assert from_disk.fingerprint == loaded.fingerprint
    for data in (loaded, from_disk):
        for number in range(3):
            file = data.test.read(number)
            header = wav.read_header(file)
            assert (header.rate, header.channels) == (8_000, 2)
            np.testing.assert_array_equal(wav.read_samples(file, header) * 2**15, samples[number])
    with pytest.raises(ZooError, match="no image features"):
        load("tfds:words", "image", split=Split(), data_dir=tmp_path)


def test_clips_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    kinds = tensorflow_datasets.features
    quiet = [0] * 400
    loud = [
        {"audio": np.array([number, 2**20 if number == 4 else 0, *quiet]), "label": number % 3} for number in range(9)
    ]
    for name, rate in (("loud", 16_000), ("rateless", None)):
        features = {"image": None, "audio": kinds.Audio(sample_rate=rate)}
        prepare(tmp_path, name, {"train": loud}, features=features)
    for name, reason in (
        ("loud", "1 of 9 clips .* samples beyond 16 bits"),
        ("rateless", "do not state their sample rate"),
    ):
        with pytest.raises(ZooError, match=reason):
            load(f"tfds:{name}", "audio", split=Split(), data_dir=tmp_path)


def test_texts_are_read_as_they_are(tmp_path: Path) -> None:
    kinds = tensorflow_datasets.features
    items = [{"text": text, "label": number % 3} for number, text in enumerate(["", "Fisch 🐟"] * 9)]
    prepare(tmp_path, "said", {"train": items, "test": items[:4]}, features={"image": None, "text": kinds.Text()})
    data = load("tfds:said", "text", split=Split(), data_dir=tmp_path)
    assert (data.task, data.labels, data.form) == ("classes", tuple(LABELS), "text")
    assert [data.test.read(number) for number in range(4)] == ["", "Fisch 🐟"] * 2
    assert data.test.targets.tolist() == [0, 1, 2, 0]
    torn = [*items, {"text": b"caf\xe9", "label": 1}]
    prepare(tmp_path, "torn", {"train": torn}, features={"image": None, "text": kinds.Text()})
    with pytest.raises(ZooError, match=r"1 of 19 texts .* train 18 of torn-train\S+: not valid UTF-8"):
        load("tfds:torn", "text", split=Split(), data_dir=tmp_path)


def passengers(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Make records with scalars of every kind, nested ones, a vector, and an image, which is no column."""
    return [
        {
            "about": {"age": float("nan") if number % 5 == 0 else 20.0 + number, "name": b"?" if number % 4 else "Ann"},
            "size": np.array([number, 2 * number], np.float32),
            "alone": number % 2 == 0,
            "fare": number * 0.25,
            "deck": number % 3 - 1,
            "photo": np.zeros((2, 2, 3), np.uint8),
            "label": number % 3,
            **changes,
        }
        for number in range(count)
    ]


def prepare_passengers(root: Path, name: str, splits: dict[str, list[dict[str, Any]]]) -> Path:
    kinds = tensorflow_datasets.features
    features = {
        "image": None,
        "about": kinds.FeaturesDict({"age": np.float32, "name": np.object_}),
        "size": kinds.Tensor(shape=(2,), dtype=np.float32),
        "alone": np.bool_,
        "fare": kinds.Scalar(np.float64),
        "deck": kinds.ClassLabel(names=["A", "B"]),
        "photo": kinds.Image(shape=(2, 2, 3)),
    }
    return prepare(root, name, splits, features=features)


def test_scalars_are_the_columns_of_a_table(tmp_path: Path) -> None:
    test = [*passengers(7), *passengers(3, label=-1)]
    place = prepare_passengers(tmp_path, "ship", {"train": passengers(60), "test": test}) / "dataset_info.json"
    # TFDS writes it where its own builders say what is supervised.
    stated = {"supervisedKeys": {"input": "about", "output": "label"}}
    place.write_text(json.dumps({**json.loads(place.read_text()), **stated}))
    said: list[str] = []
    data = load("tfds:ship", "table", split=Split(), data_dir=tmp_path, say=said.append)
    assert data.form == ("age", "name", "alone", "deck", "fare", "size_1", "size_2")
    assert (data.task, data.labels) == ("classes", ("Goldfisch", "shark", "tench"))
    assert [data.labels[target] for target in data.test.targets] == [LABELS[number % 3] for number in range(7)]
    assert data.test.read(0) == (None, "Ann", "true", None, 0.0, 0.0, 0.0)
    assert data.test.read(1) == (21.0, None, "false", "A", 0.25, 1.0, 2.0)
    assert any("not scalars: photo" in line for line in said)
    assert any("left out: 3 rows" in line and "withheld" in line for line in said)
    again = load(data.source, "table", split=Split(), data_dir=tmp_path)
    assert again.fingerprint == data.fingerprint


def test_large_integers_stay_apart(tmp_path: Path) -> None:
    features = {"image": None, "user": np.int64, "x": np.float32}
    items = [{"user": 2**60 + number % 2, "x": number / 7, "label": number % 3} for number in range(60)]
    prepare(tmp_path, "users", {"train": items}, features=features)
    data = load("tfds:users", "table", split=Split(), data_dir=tmp_path, options={"target": "label"})
    made = suiting(data, TableSettings(words=("user",)), None)
    assert {*made.columns[0].words} == {str(2**60), str(2**60 + 1)}


def test_classes_with_numbers_for_names_are_classes(tmp_path: Path) -> None:
    kinds = tensorflow_datasets.features
    features = {"image": None, "x": np.float32, "label": kinds.ClassLabel(names=["1", "2", "3", "4"])}
    prepare(
        tmp_path, "few", {"train": [{"x": number / 7, "label": number % 4} for number in range(12)]}, features=features
    )
    data = load("tfds:few", "table", split=Split(), data_dir=tmp_path, options={"target": "label"})
    assert (data.task, data.labels) == ("classes", ("1", "2", "3", "4"))


@pytest.mark.parametrize(("task", "labels"), [("values", ("quality",)), ("classes", ("5", "6", "7"))])
def test_a_model_decides_whether_integers_are_classes_or_values(
    task: str, labels: tuple[str, ...], tmp_path: Path
) -> None:
    items = [{"x": number / 7, "quality": 5 + number % 3} for number in range(60)]
    features = {"image": None, "label": None, "x": np.float32, "quality": np.int32}
    prepare(tmp_path, "wine", {"train": items, "test": items[:9]}, features=features)
    columns = TablePreprocessing((Column("x", "number", knots=(0.0, 1.0)),))
    scales = (Scale(6.0, 1.0),) if task == "values" else ()
    model = Model("linear", "small", labels, columns, 2 * len(labels), len(labels), task=task, scales=scales)
    found, _ = load_for_evaluation(model, "tfds:wine", tmp_path, {"target": "quality"})
    places = [[5.0], [6.0], [7.0]] if task == "values" else [0, 1, 2]
    assert found.targets.tolist() == places * 3


@pytest.mark.parametrize("target", ["label", "label:classes", " label ", "label,fare:values"])
def test_rows_with_a_withheld_label_are_left_out_however_the_target_is_written(target: str, tmp_path: Path) -> None:
    test = [*passengers(7), *passengers(3, label=-1)]
    prepare_passengers(tmp_path, "ship", {"train": passengers(60), "test": test})
    said: list[str] = []
    data = load("tfds:ship", "table", split=Split(), data_dir=tmp_path, options={"target": target}, say=said.append)
    assert len(data.test) == 7
    assert any("left out: 3 rows" in line and "withheld" in line for line in said)


def test_the_column_to_predict_is_stated_or_asked_for(tmp_path: Path) -> None:
    prepare_passengers(tmp_path, "ship", {"train": passengers(60)})

    def read(**options: str) -> Dataset:
        return load("tfds:ship", "table", split=Split(), data_dir=tmp_path, options=options)

    with pytest.raises(ZooError, match=r"does not say what to predict: name the column with --target .*fare"):
        read()
    assert (read(target="fare").task, read(target="fare").labels) == ("values", ("fare",))
    assert read(target="deck").labels == ("A", "B")
    with pytest.raises(ZooError, match="no column 'fair': did you mean 'fare'"):
        read(target="fair")
    with pytest.raises(ZooError, match="--target label: TFDS itself states the classes of images"):
        load("tfds:ship", "image", split=Split(), data_dir=tmp_path, options={"target": "label"})
