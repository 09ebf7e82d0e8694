"""Tables of exported files: latency, the cost of an export, and parity with other projects."""

from __future__ import annotations

import io
from collections.abc import Sequence

from benchmarks.peers.compare_latency import geometric_mean
from benchmarks.tables.figures import counted, markdown, measured_on, networks, results, short
from zoo.registry import matching

README_NETWORKS = (
    "mobilenet-small",
    "resnet-small",
    "resnet-base",
    "efficientnet-small",
    "convnext-small",
    "vit-small",
)
"""The networks of the README's table; docs/benchmark.md has all."""


def latency(keys: Sequence[str] | None = None) -> str:
    """Float32 and int8 latency of the exported ONNX files against the fastest export of other projects."""
    float32, int8 = results("latency"), results("int8_latency")
    setting = float32["figures"][ONE_IMAGE]
    rows = []
    for key, alias, parameters in networks():
        if key not in setting["networks"] or (keys is not None and key not in keys):
            continue
        ours, small = setting["networks"][key], int8["figures"][key]
        rows.append(
            [
                f"`{key}` ({alias})",
                f"{parameters / 1e6:.1f} M",
                short(ours["ours_ms"]),
                short(ours["peer_ms"]),
                f"{ours['ratio']:.2f} ({ours['low']:.2f}–{ours['high']:.2f})",
                short(small["int8_ms"]),
                f"{small['ratio']:.2f} ({small['low']:.2f}–{small['high']:.2f})",
            ]
        )
    titles = [
        "network",
        "parameters",
        "float32 ms",
        "fastest other export ms",
        "ratio (95 % interval)",
        "int8 ms",
        "int8 / float32 (95 % interval)",
    ]
    note = (
        f"Median latency of one image of 224×224 pixels on one thread ({measured_on(float32)}). "
        "The ratio is the median of paired measurements, in turns within one process. int8 was measured in another "
        "session; its ratio is to float32 in that session."
    )
    if keys is None:
        note += f" Geometric mean of the ratios: {setting['geometric_mean']:.3f}."
    return f"{markdown(titles, rows)}\n\n{note}"


ONE_IMAGE = "one thread, one image"

SETTINGS = {
    ONE_IMAGE: "one image, one thread",
    "from pixels": "one image, one thread, the other file's normalization in numpy",
    "two threads": "one image, two threads",
    "eight images": "eight images, one thread",
    "160 pixels": "one image of 160×160 pixels, one thread",
}
"""The settings of latency.json and how the documents call them."""


def settings() -> str:
    """The geometric mean over all networks in each setting of `latency.json`."""
    figures = results("latency")["figures"]
    rows = [
        [
            SETTINGS[name],
            str(len(figures[name]["networks"])),
            f"{figures[name]['geometric_mean']:.3f}",
            f"{max(network['ratio'] for network in figures[name]['networks'].values()):.3f}",
        ]
        for name in SETTINGS
    ]
    return markdown(["setting", "networks", "geometric mean of the ratios", "largest ratio"], rows)


SEQUENCES = {
    **{f"lstm-{size}": f"`lstm-{size}`" for size in ("small", "base", "large")},
    **{f"bert-{size}": f"`bert-{size}`" for size in ("small", "base")},
    "base-classes.16000": "`wav2vec2-base`, 1 s",
    "base-classes.80000": "`wav2vec2-base`, 5 s",
}
"""The networks of sequence_latency.json and how the documents call them."""

ONE_SEQUENCE = ("1 thread, batch 1, 128 tokens", "1 thread, batch 1, 16000 samples", "1 thread, batch 1, 80000 samples")
"""The settings whose latency the documents show."""


def sequences() -> str:
    """Latency of networks of texts and sound against PyTorch's exports: one setting, and the ratios of all."""
    result = results("sequence_latency")
    rows = []
    for key, title in SEQUENCES.items():
        found = result["figures"]["networks"][key]
        ratios = [row["ratio"] for row in found.values()]
        one = next(row for name, row in found.items() if name.startswith(ONE_SEQUENCE))
        mean = f"{geometric_mean(ratios):.3f}"
        rows.append([title, short(one["ours_ms"]), short(one["peer_ms"]), str(len(ratios)), mean, f"{max(ratios):.3f}"])
    titles = ["network", "ms", "fastest other export ms", "settings", "mean ratio", "largest ratio"]
    note = (
        f"Median latency of one example on one thread ({measured_on(result)}), of texts with 128 tokens. The ratios "
        "are those of all settings: one and two threads, one and eight examples, texts of 16, 128 and 384 tokens. "
        f"Geometric mean of all: {result['figures']['geometric_mean']:.3f}."
    )
    return f"{markdown(titles, rows)}\n\n{note}"


def stock() -> str:
    """Latency of zoo's int8 files and of those that onnxruntime's own quantizer makes from timm's files."""
    result = results("int8_stock")
    figures = result["figures"]
    rows = [
        [
            f"`{key}`",
            short(figures["networks"][key]["zoo_ms"]),
            short(figures["networks"][key]["stock_ms"]),
            "{ratio:.2f} ({low:.2f}–{high:.2f})".format(**figures["networks"][key]),
        ]
        for key, _, _ in networks()
        if key in figures["networks"]
    ]
    table = markdown(["network", "int8 ms", "stock int8 ms", "ratio (95 % interval)"], rows)
    return (
        f"{table}\n\nOne image on one thread ({measured_on(result)}). "
        f"Geometric mean of the ratios: {figures['geometric_mean']:.3f}."
    )


def parity() -> str:
    """The largest difference between zoo's logits and timm's, with the same random weights."""
    figures = results("peers")["figures"]
    groups = {
        "224×224, 1000 classes": "224/",
        "160×160, 37 classes": "160/",
        "1 channel": "channels-1/",
        "4 channels": "channels-4/",
        "64×64, weights of 224×224": "pulled-64/",
        "96×96, weights of 224×224": "pulled-96/",
        "160×160, weights of 224×224": "pulled-160/",
    }
    rows = []
    for title, prefix in groups.items():
        found = [network["difference"] for key, network in figures["networks"].items() if key.startswith(prefix)]
        if found:  # the networks are compared input by input, and the record may hold some of the inputs
            rows.append(
                [title, str(len(found)), f"{max(found):.1e}", str(sum(one <= figures["bound"] for one in found))]
            )
    return markdown(["input", "networks", "largest difference", f"within {figures['bound']:.0e}"], rows)


def exports() -> str:
    """Time and memory of exporting each network in both formats."""
    figures = results("exports")["figures"]
    rows = [
        [
            f"`{key}`",
            f"{one['parameters'] / 1e6:.1f} M",
            f"{one['seconds']:.0f}",
            f"{one['gigabytes']:.1f}",
        ]
        for key, one in figures.items()
    ]
    return markdown(["network", "parameters", "seconds", "peak memory GB"], rows)


def demo() -> str:
    """The table that `make demo` ends with, as the command line prints it."""
    from rich.console import Console

    from zoo.serving.benchmark import Row
    from zoo.serving.table import tables

    text = io.StringIO()
    console = Console(width=130, file=text, color_system=None)
    console.print(*tables([Row(**row) for row in results("demo")["rows"]]), sep="\n", crop=False)
    lines = [line.rstrip() for line in text.getvalue().rstrip().splitlines()]
    return "\n".join(["```text", *lines, "```"])


def families() -> str:
    """Every family and size with its aliases, counts and input from the registry."""
    rows = [
        [
            f"`{family.name}`",
            f"`{size.name}`",
            ", ".join(f"`{alias}`" for alias in size.aliases) or "—",
            counted(size.parameters),
            counted(size.multiply_adds),
            "×".join(map(str, size.input_shape)),
        ]
        for family, size in matching()
    ]
    return markdown(["family", "size", "aliases", "parameters", "multiply-adds", "counted at"], rows)
