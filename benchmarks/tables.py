"""The tables of README.md and docs/, generated from results/*.json, so that nobody types their figures.

Two comments in a document, `<!-- table: NAME -->` and `<!-- end of table -->`, mark the place of a table; this script
writes the text between them. `tests/docs` fails if a document differs from the figures.

usage: python -m benchmarks.tables [--write]      prints every table; with --write, puts them into the documents
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.compare_latency import geometric_mean
from zoo import files
from zoo.registry import matching

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"(<!-- table: (?P<name>[a-z0-9-]+) -->\n).*?(\n<!-- end of table -->)", re.DOTALL)

README_NETWORKS = (
    "mobilenet-small",
    "resnet-small",
    "resnet-base",
    "efficientnet-small",
    "convnext-small",
    "vit-small",
)
"""The networks of the README's table; docs/benchmark.md has all."""


def results(name: str) -> dict[str, Any]:
    """The document `results/NAME.json`: `provenance` and the figures."""
    return dict(json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")))


def documents() -> Iterator[Path]:
    """The documents that may hold tables."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))


def filled(text: str) -> str:
    """A document whose tables are generated from the present figures."""
    return PLACE.sub(lambda place: f"{place[1]}\n{TABLES[place['name']]()}\n{place[3]}", text)


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose other columns are figures."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def short(value: float) -> str:
    """Three significant digits, or all digits before the decimal point."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def percent(share: float) -> str:
    """A share of 1 as a percentage."""
    return f"{100 * share:.2f} %"


def measured_on(result: dict[str, Any]) -> str:
    """The machine and the runtime of a result, as a phrase."""
    made = result["provenance"]
    return f"{made['machine']['processor']}, onnxruntime {made['versions']['onnxruntime']}"


def networks() -> Iterator[tuple[str, str, int]]:
    """Each network of images that publishers have: its key `FAMILY-SIZE`, its first alias, and its parameters."""
    for family, size in matching():
        if family.input == "image" and family.name != "cnn":
            yield f"{family.name}-{size.name}", size.aliases[0], size.parameters


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
        "The ratio is the median of paired measurements, in turns within one process."
    )
    if keys is None:
        note += f" Geometric mean of the ratios: {setting['geometric_mean']:.3f}."
    return f"{markdown(titles, rows)}\n\n{note}"


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


def accuracy() -> str:
    """Float32 and int8 accuracy on Fashion-MNIST's test images, paired."""
    rows = []
    for family, figures in sorted(results("fashion_mnist_int8")["figures"].items()):
        test = figures["int8"]["test"]
        rows.append(
            [
                f"`{family}-{'base' if family == 'cnn' else 'small'}`",
                str(figures["train"]["epochs"]),
                percent(test["float32"]),
                percent(test["int8"]),
                f"{-test['drop']:+.2f} ({-test['high']:+.2f} to {-test['low']:+.2f})",
            ]
        )
    titles = ["network", "epochs", "float32 accuracy", "int8 accuracy", "change in points (95 % interval)"]
    return markdown(titles, rows)


def fashion_mnist() -> str:
    """A network trained on all of Fashion-MNIST: the same accuracy by Keras and by the ONNX file."""
    figures = results("fashion_mnist")["figures"]
    rows = [
        [
            f"`cnn-base` by {title}",
            f"{percent(figures[name]['accuracy'])} ({percent(figures[name]['low'])}–{percent(figures[name]['high'])})",
            f"{figures[name]['correct']:,}",
        ]
        for title, name in (("Keras", "keras"), ("the ONNX file", "onnx"))
    ]
    return markdown(["network", "accuracy (95 % interval)", "right of 10,000"], rows)


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
            f"{one['gates_passed']} of {one['gates']}",
        ]
        for key, one in figures.items()
    ]
    return markdown(["network", "parameters", "seconds", "peak memory GB", "gates passed"], rows)


def fine_tuning() -> str:
    """A new head on a frozen network against training from scratch."""
    budgets = results("fine_tuning")["figures"]["budgets"]
    rows = [
        [
            f"{budget.split()[0]} images per class",
            f"{figures['mean_accuracy']['frozen']:.2f}",
            f"{figures['mean_accuracy']['from_scratch']:.2f}",
        ]
        for budget, figures in budgets.items()
    ]
    return markdown(["training images", "accuracy, frozen with a new head", "accuracy, from scratch"], rows)


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


def counted(count: int) -> str:
    """A count with two or three digits and its unit."""
    for unit, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return str(count)


def tables_accuracy() -> str:
    """Networks of tables against scikit-learn's models: the mean over splits."""
    rows = [
        [
            f"`{name.split()[0]}` on {name.split()[1]}",
            {"accuracy": "accuracy", "r2": "R²"}[figures["metric"]],
            f"{figures['zoo']:.3f}",
            f"{figures['scikit_learn']:.3f}",
            f"{figures['difference']:+.3f}",
        ]
        for name, figures in results("tables_accuracy")["figures"]["networks"].items()
    ]
    return markdown(["network", "metric", "zoo", "scikit-learn", "difference"], rows)


def tables_large() -> str:
    """`mlp` large against base, and without each of its encodings: the mean over splits."""
    rows = []
    tables = results("tables_large")["figures"]["tables"]
    names = list(dict.fromkeys(name for figures in tables.values() for name in figures["networks"]))
    for table, figures in tables.items():
        networks = figures["networks"]
        metric = {"accuracy": "accuracy", "r2": "R²"}[figures["metric"]]
        scores = (f"{networks[name]['mean']:.3f}" if name in networks else "" for name in names)
        rows.append([table, metric, *scores])
    return markdown(["table", "metric", *names], rows)


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


ONE_IMAGE = "one thread, one image"
SETTINGS = {
    ONE_IMAGE: "one image, one thread",
    "from pixels": "one image, one thread, the other file's normalization in numpy",
    "two threads": "one image, two threads",
    "eight images": "eight images, one thread",
    "160 pixels": "one image of 160×160 pixels, one thread",
}
"""The settings of latency.json and how the documents call them."""


def audio_synthetic() -> str:
    """The accuracy of the keyword networks on synthetic speech."""
    result = results("audio_synthetic")
    rows = []
    for name, found in result["figures"]["networks"].items():
        low, high = found["test_interval"]
        accuracy = f"{percent(found['test_accuracy'])} ({100 * low:.1f}–{100 * high:.1f})"
        rows.append((f"`{name}`", f"{found['parameters']:,}", str(found["epochs"]), accuracy))
    titles = ("network", "parameters", "epochs", "accuracy on synthetic speech (95 % interval)")
    return markdown(titles, rows)


TABLES: dict[str, Callable[[], str]] = {
    "latency-short": lambda: latency(README_NETWORKS),
    "latency": latency,
    "settings": settings,
    "sequences": sequences,
    "int8-stock": stock,
    "accuracy": accuracy,
    "fashion-mnist": fashion_mnist,
    "parity": parity,
    "exports": exports,
    "fine-tuning": fine_tuning,
    "demo": demo,
    "tables-accuracy": tables_accuracy,
    "tables-large": tables_large,
    "families": families,
    "audio-synthetic": audio_synthetic,
}
"""Every table by the name that documents use."""


def main() -> None:
    """Print the tables, or write them into the documents."""
    if sys.argv[1:] == ["--write"]:
        for path in documents():
            text = path.read_text(encoding="utf-8")
            if filled(text) != text:
                files.write_text(path, filled(text))
                print(f"written: {path.relative_to(ROOT)}")
        return
    for name, table in TABLES.items():
        print(f"<!-- table: {name} -->\n\n{table()}\n\n<!-- end of table -->\n")


if __name__ == "__main__":
    main()
