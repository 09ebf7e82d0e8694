"""The source `folder` with images: classes, splits, files that are read or skipped, and refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data.sample_images import encoded, fill, noise
from zoo.data.dataset import Dataset, Examples
from zoo.data.load import load
from zoo.data.names import natural
from zoo.data.reload import load_again
from zoo.data.unlabeled import load_unlabeled
from zoo.errors import ZooError
from zoo.inputs.image.data import Form
from zoo.inputs.image.preprocessing import open_header, open_image
from zoo.recipe import Split


def names(images: Examples) -> list[str]:
    return [images.names(index) for index in range(len(images))]


def load_folder(folder: Path, **options: object) -> Dataset:
    return load(f"folder:{folder}", "image", split=Split(), **options)  # type: ignore[arg-type]


def refusal(folder: Path, **options: object) -> str:
    with pytest.raises(ZooError) as refused:
        load_folder(folder, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_names_sort_as_people_count() -> None:
    assert sorted(["10", "2", "a10", "1", "A9", "b", "02"], key=natural) == ["1", "02", "2", "10", "A9", "a10", "b"]


def test_one_folder_a_class_is_split_within_each_class(tmp_path: Path) -> None:
    fill(tmp_path, {"10": 20, "1": 20, "2": 30})
    data = load_folder(tmp_path)
    assert data.labels == ("1", "2", "10")
    assert data.source == f"folder:{tmp_path}"
    assert data.form == Form((12, 10), 1)
    # A fifth of each class for the test, a tenth of the rest for validation.
    for images, counts in ((data.test, [4, 6, 4]), (data.validation, [2, 2, 2]), (data.train, [14, 22, 14])):
        assert np.bincount(images.targets).tolist() == counts
        assert images.targets.dtype == np.int64
        folder_of = [data.labels.index(name.partition("/")[0]) for name in names(images)]
        assert folder_of == images.targets.tolist()
    everything = names(data.train) + names(data.validation) + names(data.test)
    assert len(set(everything)) == len(everything) == 70
    assert data.description().counts == {"train": 50, "validation": 6, "test": 14}


def test_the_split_follows_its_seed_and_the_fingerprint_follows_every_byte(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 10, "dog": 10})
    first, again = load_folder(tmp_path), load_folder(tmp_path)
    other = load(f"folder:{tmp_path}", "image", split=Split(seed=1))
    assert names(first.test) == names(again.test) != names(other.test)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    (tmp_path / "cat/3.png").write_bytes(encoded(noise("L", 12, 10, seed=99), "PNG"))
    assert load_folder(tmp_path).fingerprint != first.fingerprint


def test_splits_on_disk_are_kept(tmp_path: Path) -> None:
    for split, count in (("train", 5), ("validation", 3), ("test", 2)):
        fill(tmp_path / split, {"cat": count, "dog": count})
    data = load_folder(tmp_path)
    assert [len(data.train), len(data.validation), len(data.test)] == [10, 6, 4]
    assert all(name.startswith("test/") for name in names(data.test))


def test_validation_without_test_becomes_the_test(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"cat": 20, "dog": 20})
    fill(tmp_path / "val", {"cat": 3, "dog": 3})
    data = load_folder(tmp_path)
    assert all(name.startswith("val/") for name in names(data.test))
    assert all(name.startswith("train/") for name in names(data.validation) + names(data.train))
    assert [len(data.train), len(data.validation), len(data.test)] == [36, 4, 6]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path, {"train": 5, "bus": 5})
    assert load_folder(tmp_path).labels == ("bus", "train")


KINDS: dict[str, tuple[str, str, dict[str, Any], bool]] = {
    "gray.png": ("L", "PNG", {}, True),
    "color.png": ("RGB", "PNG", {}, True),
    "alpha.png": ("RGBA", "PNG", {}, True),
    "palette.png": ("P", "PNG", {}, True),
    "see-through-palette.png": ("P", "PNG", {"transparency": bytes(range(256))}, True),
    "see-through-gray.png": ("L", "PNG", {"transparency": 7}, True),
    "deep.png": ("I;16", "PNG", {}, True),
    "bits.png": ("1", "PNG", {}, True),
    "gray.jpg": ("L", "JPEG", {}, True),
    "color.JPEG": ("RGB", "JPEG", {}, True),
    "print.jpg": ("CMYK", "JPEG", {}, False),
    "color.bmp": ("RGB", "BMP", {}, False),
    "moving.gif": ("P", "GIF", {}, False),
    "called-as-it-pleases": ("RGB", "JPEG", {}, True),
}


def test_every_kind_of_image_is_read_and_the_unusual_ones_become_png(tmp_path: Path) -> None:
    fill(tmp_path, {"plain": 20}, (23, 17))
    (tmp_path / "kinds").mkdir()
    for name, (mode, format_name, options, _) in KINDS.items():
        (tmp_path / "kinds" / name).write_bytes(encoded(noise(mode, 23, 17), format_name, **options))
    data = load_folder(tmp_path)
    assert data.form == Form((23, 17), 3)
    assert data.skipped == ()
    for images in (data.train, data.validation, data.test):
        for index, name in enumerate(names(images)):
            read = images.read(index)
            kept = read == (tmp_path / name).read_bytes()
            assert kept == KINDS.get(Path(name).name, (0, 0, 0, True))[3], name
            image = open_image(read)
            assert open_header(read).format in ("JPEG", "PNG")
            assert image.mode in ("L", "LA", "RGB", "RGBA"), name


def test_images_of_several_sizes_have_no_common_shape(tmp_path: Path) -> None:
    fill(tmp_path, {"small": 5}, (8, 8))
    fill(tmp_path, {"large": 5}, (9, 8))
    assert load_folder(tmp_path).form.size is None


def test_images_are_read_from_their_files_when_they_are_needed(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 10, "dog": 10})
    (tmp_path / "dog/0.png").write_bytes(encoded(noise("CMYK", 12, 10), "JPEG"))
    train = load_folder(tmp_path).train
    assert not train.in_memory
    assert train.total_bytes == sum(len(train.read(index)) for index in range(len(train)))
    cut = tmp_path / names(train)[0]
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(ZooError, match="has become shorter: start again"):
        train.read(0)
    shutil.rmtree(tmp_path / "cat")
    with pytest.raises(ZooError, match="can no longer be read"):
        train.read(0)


def test_hidden_files_system_files_and_files_beside_the_classes_are_ignored(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5})
    for name in ("README.txt", ".DS_Store", "cat/.hidden", "cat/Thumbs.db"):
        (tmp_path / name).write_text("no image")
    (tmp_path / ".git").mkdir()
    assert len(load_folder(tmp_path).labels) == 2


def test_links_are_followed(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", {"cat": 5, "dog": 5})
    (tmp_path / "data").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert load_folder(tmp_path / "data").labels == ("cat", "dog")


def damage(folder: Path) -> None:
    """Write seven files of different kinds that are not images."""
    whole = encoded(noise("RGB", 40, 40), "JPEG")
    (folder / "0-text.jpg").write_text("no image")
    (folder / "1-empty.png").write_bytes(b"")
    (folder / "2-short.jpg").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(encoded(noise("RGB", 40, 40), "PNG"))
    flipped[1000] ^= 1
    (folder / "3-flipped.png").write_bytes(flipped)
    (folder / "4-broken-link.png").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "5-pipe.png")
    with (folder / "6-huge.png").open("wb") as file:
        file.truncate(2**28 + 1)


def test_bad_examples_are_named_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5})
    damage(tmp_path / "cat")
    message = refusal(tmp_path)
    assert message.startswith(f"7 of 17 images of folder:{tmp_path} cannot be read: cat/0-text.jpg: ")
    assert "cat/2-short.jpg" in message
    assert "cat/3-flipped.png" not in message
    assert "--bad-examples skip" in message
    data = load_folder(tmp_path, bad_examples="skip")
    assert len(data.skipped) == 7
    assert [line.partition(":")[0] for line in data.skipped] == sorted(
        f"cat/{path.name}" for path in (tmp_path / "cat").iterdir() if "-" in path.name
    )
    assert data.description().skipped == data.skipped
    assert len(data.train) + len(data.validation) + len(data.test) == 10


def test_an_image_of_more_pixels_than_memory_is_bad(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5})
    (tmp_path / "cat/bomb.png").write_bytes(encoded(Image.new("1", (10_000, 10_001)), "PNG"))
    assert "pixels are more than" in refusal(tmp_path)


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    assert "there is no folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no folders" in refusal(tmp_path / "empty")
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "image.png").write_bytes(encoded(noise("L", 8, 8), "PNG"))
    assert "one folder of images per class" in refusal(flat)
    assert "one class only, 'cat'" in refusal(fill(tmp_path / "one", {"cat": 5}))
    assert "class 'dog' has no images" in refusal(fill(tmp_path / "none", {"cat": 5, "dog": 0}))
    assert "'dog' has too few images" in refusal(fill(tmp_path / "few", {"cat": 5, "dog": 2}))
    nested = fill(tmp_path / "nested", {"cat": 5, "dog/deeper": 5})
    assert "holds the folder 'deeper'" in refusal(nested)
    unreadable = fill(tmp_path / "unreadable", {"cat": 5, "dog": 1})
    (unreadable / "dog/0.png").write_text("no image")
    assert "no image of class 'dog' in the train split" in refusal(unreadable, bad_examples="skip")
    assert len(load_folder(unreadable, bad_examples="skip", labeled=False).skipped) == 1, "classes are not learned"
    unprintable = fill(tmp_path / "unprintable", {"cat": 5, "d\nog": 5})
    assert "use printable characters" in refusal(unprintable)


def test_splits_that_differ_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"cat": 5, "dog": 5})
    fill(tmp_path / "test", {"cat": 5, "cow": 5})
    message = refusal(tmp_path)
    assert "test lacks 'dog'" in message
    assert "train lacks 'cow'" in message
    shutil.rmtree(tmp_path / "test")
    fill(tmp_path / "val", {"cat": 5, "dog": 5})
    fill(tmp_path / "validation", {"cat": 5, "dog": 5})
    assert "val/ and validation/" in refusal(tmp_path)
    (tmp_path / "val").rename(tmp_path / "vall")
    assert "also 'vall'" in refusal(tmp_path)


def test_splits_may_differ_where_classes_are_not_learned(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    fill(folder / "test", {"unknown": 4})
    fill(folder / "train", {"dog": 9, "cat": 9})
    data = load_folder(folder, labeled=False)
    assert data.labels == ("cat", "dog", "unknown")
    assert (len(data.train) + len(data.validation), data.test.targets.tolist()) == (18, [2] * 4)
    assert load_again(data.description(), "image", Split()).fingerprint == data.fingerprint
    labeled = load_folder(fill(tmp_path / "labeled", {"cat": 9, "dog": 9}))
    assert len(load_unlabeled(f"folder:{folder}", labeled, labeled.train, data_dir=None)[0]) == 18


def test_neither_loading_nor_reading_pixels_imports_tensorflow(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5})
    script = f"""
import sys
from zoo.data.load import load
from zoo.data.pipeline import encoded_batches
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import Split
for source in ("digits", "folder:{tmp_path}"):
    data = load(source, "image", split=Split())
    preprocessing = Preprocessing(8, 8, 1, (0.5,), (0.5,))
    assert sum(len(labels) for _, labels in encoded_batches(data.test, preprocessing, batch_size=7)) == len(data.test)
print(sorted({{"tensorflow", "keras", "tensorflow_datasets", "onnx", "onnxruntime"}} & set(sys.modules)))
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


def said(folder: Path) -> list[str]:
    lines: list[str] = []
    load_folder(folder, say=lines.append)
    return lines


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test1"), ("train", "test"), ("Train", "Test"), ("training", "testing"), ("train", "valid"),
        ("train", "dev"), ("train_images", "val_images"), ("train2017", "val2017"), ("training_set", "test_set"),
        ("val", "test"), ("train", "test", "cat"),
    ],
    ids="-".join,
)  # fmt: skip
@pytest.mark.parametrize("of_classes", [False, True], ids=["loose", "classes"])
def test_what_looks_like_misnamed_splits_is_refused(tmp_path: Path, names: tuple[str, ...], of_classes: bool) -> None:
    for name in names:
        fill(tmp_path / name if of_classes else tmp_path, {"cat": 4, "dog": 4} if of_classes else {name: 4})
    if of_classes and names == ("train", "test"):
        assert load_folder(tmp_path).labels == ("cat", "dog")
        return
    message = refusal(tmp_path)
    assert "train/" in message
    assert ("split" in message) or ("beside train/" in message)


def test_a_split_of_another_name_beside_train_gets_its_right_name(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"cat": 4, "dog": 4})
    for name, right in (("valid", "val/"), ("testing", "test/"), ("dev", "val/")):
        fill(tmp_path / name, {"cat": 4, "dog": 4})
        assert refusal(tmp_path).endswith(f"also '{name}': beside train/ there may be val/ and test/ only; "
                                          f"if it is a split, call it {right}")  # fmt: skip
        shutil.rmtree(tmp_path / name)
    fill(tmp_path, {"test1": 4})
    assert "call it test/" in refusal(tmp_path)


def test_a_class_that_is_called_like_a_split_is_said(tmp_path: Path) -> None:
    fill(tmp_path, {"bus": 5, "train": 5, "car": 5})
    assert said(tmp_path) == ["'train' is read as a class, although it has the name of a split"]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5, ".net": 3, "cat/.thumbnails": 1})
    for name in ("README.txt", "labels.csv", "dog/.notes", ".DS_Store"):
        (tmp_path / name).write_text("no image")
    for name in ("loose.png", "loose2.png", "dog/.1.png", "cat/.2.jpg"):
        shutil.copy(tmp_path / "cat/1.png", tmp_path / name)
    (tmp_path / ".git").mkdir()
    lines = said(tmp_path)
    found = f"left out: 4 files beside the folders of {tmp_path}: labels.csv, loose2.png, loose.png and 1 more"
    assert lines[0] == found
    for place, name in ((1, ".net"), (2, "cat/.thumbnails")):
        assert lines[place].startswith(f"left out: {tmp_path / name}/, a hidden folder of images: if it is a class")
    assert lines[3] == "left out: 2 images whose names begin with a dot: cat/.2.jpg, dog/.1.png"
    assert len(lines) == 4
    assert load_folder(tmp_path).labels == ("cat", "dog")


def test_what_is_beside_the_classes_of_a_split_is_said(tmp_path: Path) -> None:
    for split in ("train", "test"):
        fill(tmp_path / split, {"cat": 5, "dog": 5})
    (tmp_path / "README.md").write_text("no image")
    fill(tmp_path / "test", {".net": 2})
    shutil.copy(tmp_path / "train/cat/0.png", tmp_path / "train/loose.png")
    assert [line.partition(":")[2] for line in said(tmp_path)] == [
        f" 1 files beside the folders of {tmp_path}: README.md",
        f" 1 files beside the folders of {tmp_path}/train: loose.png",
        f" {tmp_path}/test/.net/, a hidden folder of images: if it is a class, rename it without the dot",
    ]


NFC, NFD = "caf\u00e9", "cafe\u0301"


def test_one_name_in_two_unicode_forms_is_one_class(tmp_path: Path) -> None:
    # NFD sorts before 'cafx', NFC behind it.
    fill(tmp_path / "train", {NFC: 4, "cafx": 5})
    fill(tmp_path / "test", {NFD: 2, "cafx": 3})
    data = load_folder(tmp_path)
    assert data.labels == ("cafx", NFC)
    assert np.bincount(data.test.targets).tolist() == [3, 2]
    assert all(
        name.startswith("test/cafx") == (label == 0)
        for name, label in zip(names(data.test), data.test.targets, strict=True)
    )
    fill(tmp_path / "train", {NFD: 4})
    message = refusal(tmp_path)
    assert "one name in two Unicode forms" in message
    assert "(caf\\xe9)" in message
    assert "(cafe\\u0301)" in message


def test_classes_that_differ_are_spelled_out(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"caf\u0435": 4, "dog": 4})
    fill(tmp_path / "test", {"cafe": 4, "dog": 4})
    assert "test lacks 'caf\u0435' (caf\\u0435), train lacks 'cafe'" in refusal(tmp_path)
