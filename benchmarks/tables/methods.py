"""Tables of training: its speed, and the effect of each method."""

from __future__ import annotations

from typing import Any

from benchmarks.tables.figures import counted, markdown, percent, results, short
from benchmarks.training_speed import NETWORKS

WAYS = {
    "from_nothing": "from scratch",
    "pretrained": "after SimCLR",
    "pretrained_frozen": "after SimCLR, only the head",
    "fixmatch": "FixMatch",
}
"""The trainings of label_fraction.json and how the documents call them."""


def points(value: float, low: float, high: float) -> str:
    """A difference of two accuracies in percentage points, with its 95 % interval; all three are shares of 1."""
    return f"{100 * value:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def processor(machine: dict[str, Any]) -> str:
    """The processor of a recorded machine, with its family and model, which the name alone does not tell."""
    return f"{machine['processor']} {machine['cpu']['family']}/{machine['cpu']['model']}"


def training_speed() -> str:
    """Images per second of a training step, with the speedup over Keras' `fit` and PyTorch."""
    rows = []
    for name, found in results("training_speed")["figures"].items():
        if name == "geometric mean":
            continue
        network, precision = name.rsplit(" ", 1)
        against = (found["against_keras_fit"], found["against_pytorch"])
        speedups = ["{ratio:.2f} ({low:.2f} to {high:.2f})".format(**one) for one in against]
        rows.append([f"`{network}`", precision, f"{found['zoo']:.0f}", *speedups])
    rows.sort(key=lambda row: (NETWORKS.index(row[0].strip("`")), row[1] != "float32"))
    titles = ["network", "precision", "images per second", "speedup over Keras' `fit`", "speedup over PyTorch"]
    return markdown(titles, rows)


def equivalence() -> str:
    """Distances of two replicas and of two workers from one device, the larger of both, and of other kernels."""

    def largest(ways: list[dict[str, Any]], measure: str) -> str:
        return f"{max(way[measure] for way in ways):.1e}"

    rows = []
    for network, found in results("equivalence")["figures"].items():
        others = found["float32"].pop("other kernels")
        exact, rounded = ([*found[precision].values()] for precision in ("float64", "float32"))
        single = [largest(ways, "farthest") for ways in (exact, rounded, [others])]
        rows.append([f"`{network}`", *single, *(largest(ways, "together") for ways in (rounded, [others]))])
    of_one, of_all = "one variable", "all variables"
    return markdown(
        [
            "network",
            f"float64, {of_one}",
            f"float32, {of_one}",
            f"other kernels, {of_one}",
            f"float32, {of_all}",
            f"other kernels, {of_all}",
        ],
        rows,
    )


def distillation() -> str:
    """Accuracy of networks with and without a teacher."""
    rows = []
    for name, found in results("distillation")["figures"].items():
        networks, data = name.split(" on ")
        student, teacher = networks.split(" from ")
        share = data.partition(" of ")[0] if " of the labels of " in data else "100%"
        changes = [one for one in found["settings"] if not one.startswith("label_fraction=")]
        rows.append(
            [
                f"`{student}`",
                share,
                f"`{teacher}`, {percent(found['teacher']['score'])}",
                percent(found["accuracy"]["alone"]),
                percent(found["accuracy"]["taught"]),
                points(found["difference"], *found["interval"]),
                f"{found['test_examples']:,}",
                str(found["seeds"]),
                ", ".join(f"`{one}`" for one in (*changes, *found["distill"])) or "—",
            ]
        )
    titles = [
        "network",
        "labels",
        "teacher",
        "alone",
        "with the teacher",
        "difference in points",
        "test examples",
        "seeds",
        "settings",
    ]
    return markdown(titles, rows)


def pruning() -> str:
    """Accuracy, size and latency of networks before and after pruning, in float32 and int8."""
    rows = []
    for name, found in results("pruning")["figures"].items():
        network, share = name.split(" to ")
        for number, format in enumerate(("float32", "int8")):
            one = found[format]
            before, after = (percent(accuracy["value"]) for accuracy in one["accuracy"])
            drop = one["accuracy_drop"]
            milliseconds = " → ".join(short(value) for value in one["milliseconds"])
            rows.append(
                [
                    "" if number else f"`{network}` to {float(share):.0%}",
                    "" if number else processor(found["machine"]),
                    format,
                    f"{before} → {after}",
                    points(-drop["value"], -drop["high"], -drop["low"]),
                    f"{one['bytes_ratio']:.2f}",
                    f"{milliseconds} ms",
                    f"{one['latency_ratio']['value']:.2f}",
                ]
            )
    titles = [
        "multiply-adds",
        "processor",
        "format",
        "accuracy",
        "difference in points",
        "file size, ratio",
        "latency",
        "latency, ratio",
    ]
    return markdown(titles, rows)


def label_fraction() -> str:
    """Accuracy of networks with few labels, alone and with images without labels."""
    rows = []
    for network, found in results("label_fraction")["figures"].items():
        mean, gains = found["mean_accuracy"], found["gain_over_from_nothing"]
        name, _, width = network.partition(" of ")
        title_of_network = f"`{name.replace(' ', '-')}`" + (f", {width}" if width else "")
        for number, (way, title) in enumerate(WAYS.items()):
            if way in mean:
                gain = ""
                if way in gains:
                    gain = f"{100 * gains[way]['mean']:+.1f} (worst draw {100 * gains[way]['least']:+.1f})"
                rows.append(["" if number else title_of_network, title, percent(mean[way]), gain])
    return markdown(["network", "training", "accuracy", "difference from the first row, in points"], rows)


def several_tasks() -> str:
    """Accuracy of a network with two targets, and of two networks with one target each."""
    rows = []
    for task, formats in results("several_tasks")["figures"]["tasks"].items():
        one = formats["onnx"]
        low, high = one["interval"]
        difference = points(one["difference_in_points"] / 100, low / 100, high / 100)
        rows.append([task, percent(one["accuracy_together"]), percent(one["accuracy_alone"]), difference])
    return markdown(["target", "together", "alone", "difference in points (95 % interval)"], rows)


def ingredients() -> str:
    """Effect of each modern ingredient of a recipe on the accuracy of one network."""
    rows = []
    for network, found in results("ingredients")["figures"].items():
        rows.append([f"`{network}`", "none", "", percent(found["without"]["accuracy"]), ""])
        for name, one in found["ingredients"].items():
            keys = ", ".join(f"`{key}`" for key in one["settings"])
            effect = one.get("refused") or points(one["effect"], one["low"], one["high"])
            rows.append(["", name, keys, percent(one["accuracy"]) if "accuracy" in one else "", effect])
    return markdown(["network", "ingredient", "keys", "accuracy", "difference in points"], rows)


def scale() -> str:
    """Cost, accuracy and latency of the networks of `zoo scale`, in the order of their multiply-adds."""
    rows = []
    for family, found in results("scale")["figures"].items():
        for one in found["networks"]:
            latency = f"{one['latency']['p50_ms']:.2f}" if one["latency"] else one["not_exported"]
            score = f"{percent(one['score'])} ({percent(one['score_low'])} to {percent(one['score_high'])})"
            network = f"`{family}` {one['size']} × {one['width']:g}"
            cost = [counted(one["parameters"]), counted(one["multiply_adds"]), f"{one['train_seconds']:.0f}"]
            rows.append([network, *cost, score, latency])
    titles = ["network × width", "parameters", "multiply-adds", "training s", "accuracy (95 % interval)", "p50 ms"]
    return markdown(titles, rows)


def scale_laws() -> str:
    """The power law of each family of `zoo scale`, and the error that twice the multiply-adds would give."""
    rows = []
    for family, found in results("scale")["figures"].items():
        law, doubling = found["law"], found["law"]["doubling"]
        exponent = "{:.2f} ({:.2f} to {:.2f})".format(law["exponent"], *law["exponent_interval"])
        floor = percent(law["floor"]) if law["floor"] else "none"
        gain = points(doubling["gain"], *doubling["gain_interval"])
        rows.append([f"`{family}`", str(law["networks"]), exponent, floor, percent(doubling["error"]), gain])
    titles = ["family", "networks", "exponent b", "floor", "error after doubling", "gain of doubling in points"]
    return markdown(titles, rows)
