"""Odd image files that users reported: every decoder reads the same pixels, or the file is named."""

from __future__ import annotations

import dataclasses
import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, PngImagePlugin

from tests.data.sample_images import encoded, fill, noise
from tests.data.sample_pngs import chunk, png_file
from zoo.data.dataset import Dataset, Examples
from zoo.data.fitting import fitting
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.file_kinds import kind_of
from zoo.inputs.image.batches import evaluation_batches
from zoo.inputs.image.decoding import pixels_tensor
from zoo.inputs.image.labeled_image import inspect
from zoo.inputs.image.preprocessing import Preprocessing, open_header, open_image, pixels_from_bytes
from zoo.inputs.image.remarks import SAMPLE, remarks
from zoo.recipe import Split

CASES = Path(__file__).parent / "cases"
SIDE = 96


def photograph() -> Image.Image:
    """A smooth image of 96 by 96."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    waves = [128 + 100 * np.sin(rows / 9 + shift) * np.cos(columns / 13 + shift) for shift in (0, 1, 2)]
    return Image.fromarray(np.stack(waves, -1).astype(np.uint8))


def wanted(channels: int = 3, side: int = SIDE, background: str = "white", white_level: int = 65535) -> Preprocessing:
    half = (0.5,) * channels
    return Preprocessing(
        side, side, channels, half, half, background=background, white_level=white_level  # type: ignore[arg-type]
    )  # fmt: skip


def decoders(file: bytes, place: Path) -> Callable[[Preprocessing], list[np.ndarray]]:
    """Return a function that reads a file with a preprocessing by client, served graph and both data pipelines."""
    fill(place, {"cat": 4, "dog": 4}, (SIDE, SIDE), "RGB")
    (place / "cat" / "0.png").write_bytes(file)
    data = load(f"folder:{place}", "image", split=Split(validation=0.25, test=0.4))
    assert data.skipped == ()
    (loaded,) = (
        images.only(np.array([index]))
        for images in (data.train, data.validation, data.test)
        for index in range(len(images))
        if images.names(index) == "cat/0.png"
    )

    def rendered(preprocessing: Preprocessing) -> list[np.ndarray]:
        scale, offset = preprocessing.scale_and_offset()
        ((inputs, _, _),) = evaluation_batches(loaded, preprocessing, batch_size=1)
        batch = inputs["image"]
        found = [
            pixels_from_bytes(file, preprocessing),
            pixels_tensor(tf.constant(file), preprocessing).numpy(),
            pixels_from_bytes(loaded.read(0), preprocessing),
            np.rint((batch[0].numpy() - offset) / scale),
        ]
        return [pixels.astype(int) for pixels in found]

    return rendered


def with_text() -> bytes:
    """A valid image with texts longer than Pillow reads: 2 MiB, compressed and not."""
    text = PngImagePlugin.PngInfo()
    text.add_text("notes", "x" * 2**21, zip=True)
    text.add_text("more", "y" * 2**21)
    return encoded(photograph(), "PNG", pnginfo=text)


def with_wrong_checksum() -> bytes:
    """A valid image with a text whose checksum is wrong."""
    return png_file(np.asarray(photograph()).astype(int), 2, 8, before=[chunk(b"tEXt", b"a\0b", sound=False)])


def multi_image() -> bytes:
    """A phone's file of two images; the second is a preview."""
    return encoded(photograph(), "MPO", save_all=True, append_images=[noise("RGB", 24, 24)])


def turned() -> bytes:
    """A JPEG whose EXIF orientation says that it is rotated, which every decoder ignores."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photograph(), "JPEG", exif=exif)


QUIET = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"sRGB": b"\0",
    b"sBIT": b"\5\6\5",
    b"bKGD": bytes(6),
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"tIME": struct.pack(">H5B", 2024, 2, 29, 12, 0, 0),
    b"tEXt": b"Software\0a camera",
    b"eXIf": b"MM\0*\0\0\0\x08" + bytes(6),
}
"""Metadata of every kind that TensorFlow reads with the file, by the kind of the chunk."""


def with_chunks(**chunks: bytes) -> bytes:
    """The photograph with more chunks before its pixels."""
    before = [chunk(kind.encode(), data) for kind, data in chunks.items()]
    return png_file(np.asarray(photograph()).astype(int), 2, 8, before=before)


SOUND: dict[str, Callable[[], bytes]] = {
    "metadata of every kind": lambda: with_chunks(**{kind.decode(): data for kind, data in QUIET.items()}),
    "more than 1 MB of text": with_text,
    "wrong checksum of a text": with_wrong_checksum,
    "profile of a mebibyte": lambda: encoded(photograph(), "PNG", icc_profile=bytes(2**20)),
    "animation": lambda: encoded(photograph(), "PNG", save_all=True, append_images=[noise("RGB", SIDE, SIDE)]),
    "two images": multi_image,
    "CMYK": lambda: encoded(photograph().convert("CMYK"), "JPEG"),
    "CMYK not of Adobe": lambda: encoded(photograph().convert("CMYK"), "JPEG").replace(b"Adobe", b"Other"),
    "EXIF orientation": turned,
    "sampling 4:4:0": (CASES / "s440.jpg").read_bytes,
    "arithmetic coding": (CASES / "arith.jpg").read_bytes,
    "color under full transparency": lambda: encoded(hidden(), "PNG"),
    "16 bits": lambda: encoded(deep(16), "PNG"),
}


def hidden() -> Image.Image:
    """An image whose upper half is transparent, with colors under the transparency."""
    image = photograph()
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    alpha[: SIDE // 2] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def deep(factor: int) -> Image.Image:
    """The photograph in gray, its 8 bits times a factor, in 16 bits."""
    return Image.fromarray(np.asarray(photograph().convert("L")).astype(np.uint16) * np.uint16(factor))


@pytest.mark.parametrize("case", SOUND)
def test_odd_but_valid_files_are_read_alike_by_every_decoder(case: str, tmp_path: Path) -> None:
    rendered = decoders(SOUND[case](), tmp_path)
    for channels, background in ((3, "white"), (2, "none")) if "transparency" in case else ((3, "white"),):
        first, *others = rendered(wanted(channels, background=background))
        for pixels in others:
            assert np.abs(pixels - first).max() <= (2 if "CMYK" in case else 0)


@pytest.mark.parametrize("kind", [kind.decode() for kind in QUIET])
def test_tensorflow_reads_a_png_with_metadata_itself(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(with_chunks(**{kind: QUIET[kind.encode()]}))
    example = inspect(path, split="train", target=0, name="a")
    assert example.file == str(path)
    assert example.read() == with_chunks()


@pytest.mark.parametrize(
    "case", ["wrong checksum of a text", "profile of a mebibyte", "more than 1 MB of text", "animation"]
)
def test_python_reads_a_png_whose_metadata_are_damaged_or_large(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(SOUND[case]())
    assert not inspect(path, split="train", target=0, name="a").file


def test_twelve_bits_come_out_as_eight_once_the_range_is_declared() -> None:
    file, original = encoded(deep(16), "PNG"), np.asarray(photograph().convert("L"))[..., None]
    for preprocessing in (wanted(1, white_level=4095), wanted(1, white_level=4080)):
        np.testing.assert_array_equal(pixels_from_bytes(file, preprocessing), original)
        np.testing.assert_array_equal(pixels_tensor(tf.constant(file), preprocessing), original)
    assert pixels_from_bytes(file, wanted(1)).max() < 16
    eight = encoded(deep(1), "PNG")
    np.testing.assert_array_equal(pixels_from_bytes(eight, wanted(1, white_level=255)), original)


def test_color_under_full_transparency_is_not_used() -> None:
    pixels = pixels_from_bytes(encoded(hidden(), "PNG"), wanted())
    assert (pixels[: SIDE // 2] == 255).all()
    np.testing.assert_array_equal(pixels[SIDE // 2 :], np.asarray(photograph())[SIDE // 2 :])
    assert not pixels_from_bytes(encoded(hidden(), "PNG"), wanted(background="black"))[: SIDE // 2].any()
    kept = pixels_from_bytes(encoded(hidden(), "PNG"), wanted(background="none"))
    np.testing.assert_array_equal(kept, np.asarray(photograph()))


def shape(kind: str) -> bytes:
    """A shape that only alpha draws: all colors are 0."""
    alpha = Image.new("L", (32, 32), 0)
    getattr(ImageDraw.Draw(alpha), kind)((8, 8, 24, 24), fill=255)
    image = Image.new("RGBA", (32, 32))
    image.putalpha(alpha)
    return encoded(image, "PNG")


def test_shapes_that_only_alpha_draws_are_told_apart() -> None:
    for channels in (1, 3):
        disc, square = (pixels_from_bytes(shape(kind), wanted(channels, 32)) for kind in ("ellipse", "rectangle"))
        assert disc.min() == 0
        assert disc.max() == 255
        assert (disc != square).any()


def heif(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(40)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    return file.getvalue()


NO_IMAGES = {
    "a WebP image": encoded(noise("RGB", 8, 8), "WEBP"),
    "a TIFF image": encoded(noise("RGB", 8, 8), "TIFF"),
    "an AVIF image": heif(b"avif"),
    "a HEIC image": heif(b"heic"),
    "a JPEG 2000 image": encoded(noise("RGB", 8, 8), "JPEG2000"),
    "an icon (ICO)": encoded(noise("RGB", 16, 16), "ICO"),
    "a PDF": encoded(noise("RGB", 8, 8), "PDF"),
    "a PostScript file": encoded(noise("RGB", 8, 8), "EPS"),
    "an HTML page": b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><head>",
    "an SVG drawing": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">',
    "an XML file": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "a Git LFS pointer; 'git lfs pull' fetches the file itself": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    ),
    "an empty file": b"",
    "a file of zeros": bytes(100),
    "text": "404: nicht gefunden, das führt zu nichts".encode(),
    "a zip archive": zipped(),
    "a gzip archive": gzip.compress(b"a"),
    "a video": heif(b"isom"),
    "a NumPy array": b"\x93NUMPY\x01\0",
    "a file of an unknown kind": b"\x01\x02\xfe\xff\x80\x81" * 9,
}
BLACK, PALETTE, END = np.zeros((4, 4, 1), int), chunk(b"PLTE", bytes(6)), chunk(b"IEND", b"")
DAMAGED = {
    "a damaged JPEG (cut short)": encoded(photograph(), "JPEG")[:900],
    "a damaged PNG (cut short)": encoded(photograph(), "PNG")[:900],
    "a damaged PNG (its header cannot be read)": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "a damaged PNG (the checksum of its IDAT is wrong)": b"".join(
        [png_file(BLACK, 0, 8)[:50], b"\xff", png_file(BLACK, 0, 8)[51:]]
    ),
    "a damaged PNG (it has an unknown part b'ABCD')": png_file(BLACK, 0, 8, before=[chunk(b"ABCD", b"")]),
    "a damaged PNG (its palette is there twice, or has another length)": png_file(BLACK, 3, 8, before=[PALETTE] * 2),
    "a damaged PNG (its palette is missing)": png_file(BLACK, 3, 8),
    "a damaged PNG (its pixels are in two places)": (
        png_file(BLACK, 0, 8)[: -len(END)] + chunk(b"tEXt", b"") + chunk(b"IDAT", b"") + END
    ),
    "a damaged GIF (": encoded(noise("P", 40, 40), "GIF")[:900],
    "a damaged BMP (": encoded(noise("RGB", 40, 40), "BMP")[:900],
}


@pytest.mark.parametrize("kind", [*NO_IMAGES, *DAMAGED])
def test_a_file_that_is_no_image_is_called_what_it_is(kind: str) -> None:
    file = {**NO_IMAGES, **DAMAGED}[kind]
    with pytest.raises(ZooError) as refused:
        pixels_from_bytes(file, wanted())
    words = kind if kind in DAMAGED else f"not a JPEG, PNG, BMP or GIF but {kind}"
    assert str(refused.value).startswith(words)
    assert "0x" not in str(refused.value)


def test_a_folder_names_what_its_bad_files_are(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5})
    for number, file in enumerate(NO_IMAGES.values()):
        (tmp_path / "dog" / f"{number + 10}.jpg").write_bytes(file)
    with pytest.raises(ZooError, match=r"dog/10\.jpg: not a JPEG, .*but a WebP image.*--bad-examples skip"):
        load(f"folder:{tmp_path}", "image", split=Split())
    data = load(f"folder:{tmp_path}", "image", split=Split(), bad_examples="skip")
    assert len(data.skipped) == len(NO_IMAGES)
    for kind, line in zip(NO_IMAGES, data.skipped, strict=True):
        assert kind in line
        assert "0x" not in line


WHOLE = [encoded(noise(mode, 20, 20), kind) for kind in ("JPEG", "PNG", "BMP", "GIF") for mode in ("L", "RGB", "P")
         if (kind, mode) != ("JPEG", "P")]  # fmt: skip


@given(
    file=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4),
    length=st.integers(0, 1500),
)
def test_whatever_is_damaged_the_reason_is_one_line_for_people(
    file: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    """Pillow names what it cannot identify by the address of an object, `<_io.BytesIO object at 0x7f…>`."""
    damaged = bytearray(file)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    for read in (open_header, open_image):
        reason = ""
        try:
            read(bytes(damaged[:length]))
        except ZooError as error:
            reason = str(error)
        assert not set("<>\n") & set(reason), reason
        assert "0x" not in reason
        assert " object" not in reason


def test_a_header_that_claims_too_many_pixels_is_not_called_damage() -> None:
    large = (100_000).to_bytes(4, "little")
    file = encoded(noise("RGB", 8, 8), "BMP")
    for read in (open_header, open_image):
        with pytest.raises(ZooError, match="more than 25000000 pixels in all or 16384 on a side"):
            read(file[:18] + large + large + file[26:])


@pytest.mark.parametrize("start", [b"", b"\xff\xfe", b"<", b"\0" * 600, b"P"])
def test_any_bytes_have_a_kind(start: bytes) -> None:
    assert kind_of(start)


def cut_then_ended() -> bytes:
    """A JPEG whose data end at two thirds, and then a proper end marker."""
    whole = encoded(photograph(), "JPEG")
    return whole[: len(whole) * 2 // 3] + b"\xff\xd9"


def test_a_jpeg_with_missing_pixels_is_read_with_a_remark_and_nothing_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, {"cat": 5, "dog": 5}, (SIDE, SIDE), "RGB")
    whole = encoded(photograph(), "JPEG")
    (tmp_path / "cat" / "0.png").write_bytes(cut_then_ended())
    (tmp_path / "dog" / "0.png").write_bytes(whole[:-2] + b"\0\0\xff\xd9")
    data = load(f"folder:{tmp_path}", "image", split=Split())
    splits = (data.train, data.validation, data.test)
    capfd.readouterr()
    for images in splits:
        for _ in evaluation_batches(images, wanted(), batch_size=1):
            pass
    assert capfd.readouterr().err == ""
    (line,) = remarks(splits, wanted())
    assert line.startswith("damaged images: 1, gray where pixels are missing: cat/0.png (")
    assert "premature end of data segment" in line


def folder_of(place: Path, files: dict[str, list[bytes]]) -> Dataset:
    for label, contents in files.items():
        (place / label).mkdir(parents=True)
        for number, file in enumerate(contents):
            (place / label / f"{number}.png").write_bytes(file)
    return load(f"folder:{place}", "image", split=Split())


def said(data: Dataset, preprocessing: Preprocessing) -> list[str]:
    return list(remarks((data.train, data.validation, data.test), preprocessing))


def test_undamaged_images_bring_no_remark(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 10, "dog": 10})
    assert said(load(f"folder:{tmp_path}", "image", split=Split()), wanted(1, 12)) == []
    assert said(load("digits", "image", split=Split()), wanted(1, 8)) == []


def test_a_small_part_of_sixteen_bits_brings_a_remark_with_what_to_set(tmp_path: Path) -> None:
    data = folder_of(tmp_path, {label: [encoded(deep(16), "PNG")] * 5 for label in ("cat", "dog")})
    assert data.form.channels == 1
    largest = int(np.asarray(deep(16)).max())
    (line,) = said(data, wanted(1))[-1:]
    assert line == (
        f"16-bit images come out dark: their largest sample is {largest}, and 65535 is white: "
        "train with --set image.white_level=4095"
    )
    assert said(data, wanted(1, white_level=4095)) == []
    assert "above 255 is white" in said(data, wanted(1, white_level=255))[-1]


def test_the_range_of_colors_in_sixteen_bits_is_known_too(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (8, 8, 4))
    samples[..., 3] = 65535
    data = folder_of(tmp_path, {label: [png_file(samples, 6, 16)] * 5 for label in ("cat", "dog")})
    assert said(data, wanted(3, 8))[-1].endswith("image.white_level=255")


def test_equal_single_color_and_black_images_bring_a_remark(tmp_path: Path) -> None:
    shapes = {kind: [shape(kind)] * 5 for kind in ("ellipse", "rectangle")}
    data = folder_of(tmp_path / "alpha", shapes)
    assert said(data, wanted(3, 32)) == []
    equal, plain = said(data, wanted(3, 32, "none"))
    assert equal.startswith("10 of 10 images, as the network gets them, are equal to others, though their files differ")
    assert plain.startswith("10 of 10 images, as the network gets them, are of one color: ")
    assert plain.endswith("; parts of them are transparent: train with --set image.background=white")
    dark = [encoded(Image.fromarray(np.asarray(noise("L", 8, 8, seed)) // 16), "PNG") for seed in range(10)]
    data = folder_of(tmp_path / "dark", {"cat": dark[:5], "dog": dark[5:]})
    (line,) = said(data, wanted(1, 8))
    assert line.startswith("10 of 10 images, as the network gets them, are nearly black: ")


def test_remarks_decode_a_bounded_number_of_images() -> None:
    data = load("digits", "image", split=Split())
    looked_at: list[int] = []

    def counted(images: Examples) -> Examples:
        def read(index: int) -> bytes:
            looked_at.append(index)
            return images.read(index)

        return dataclasses.replace(images, read=read)

    assert list(remarks([counted(data.train), counted(data.test)], wanted(1, 8))) == []
    assert len(looked_at) == SAMPLE


def narrow_image() -> bytes:
    return encoded(Image.new("RGB", (2200, 1), (10, 90, 200)), "PNG")


def test_an_image_too_narrow_to_resize_is_found_before_training(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 10, "dog": 10})
    (tmp_path / "cat" / "3.png").write_bytes(narrow_image())
    data = load(f"folder:{tmp_path}", "image", split=Split())
    assert fitting(data, wanted(3, 32)) is data
    left = fitting(data, wanted(3, 224))
    assert len(left.train) + len(left.validation) + len(left.test) == 19
    assert left.fingerprint == data.fingerprint
    (line,) = left.skipped
    assert line.startswith("cat/3.png: 2200 by 1 pixels are too narrow to be scaled to cover 224 by 224")
    for images in (left.train, left.validation, left.test):
        assert len(images.digests) == len(images.targets)
        for index in range(len(images)):
            assert images.names(index) != "cat/3.png"
            assert images.names(index).startswith(data.labels[images.targets[index]])
            assert pixels_from_bytes(images.read(index), wanted(3, 224)).any()


def test_a_class_of_images_too_narrow_to_resize_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 10})
    (tmp_path / "dog").mkdir()
    for number in range(10):
        (tmp_path / "dog" / f"{number}.png").write_bytes(narrow_image())
    dataset = load(f"folder:{tmp_path}", "image", split=Split())
    with pytest.raises(ZooError, match="no image of class 'dog' fits the network's input"):
        fitting(dataset, wanted(3, 224))
    assert len(fitting(dataset, wanted(3, 224), labeled=False).skipped) == 10
