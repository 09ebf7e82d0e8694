"""Tables of training: its speed, and the effect of recipes, distillation, pruning, few labels, tasks and size."""

from __future__ import annotations

from typing import Any

from benchmarks.tables.figures import counted, markdown, measured_on, percent, results, short


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
        speedups = ["{ratio:.2f} ({low:.2f} to {high:.2f})".format(**found[f"against_{peer}"]) for peer in PEERS]
        rows.append([f"`{network}`", precision, f"{found['zoo']:.0f}", *speedups])
    rows.sort(key=lambda row: (NETWORKS.index(row[0].strip("`")), row[1] != "float32"))
    titles = ["network", "precision", "images per second", "speedup over Keras' `fit`", "speedup over PyTorch"]
    return markdown(titles, rows)


PEERS = ("keras_fit", "pytorch")
NETWORKS = ("cnn-base", "resnet-small", "mobilenet-small", "vit-small", "convnext-small")
"""The networks of training_speed.json in the order of the table."""


def ingredients() -> str:
    """The effect of each ingredient of a recipe on the accuracy of a network, paired."""
    rows = []
    for network, found in results("ingredients")["figures"].items():
        rows.append([f"`{network}`", "none of them", percent(found["without"]["accuracy"]), ""])
        for name, one in found["ingredients"].items():
            keys = ", ".join(f"`{key}`" for key in one["settings"])
            effect = "refused" if "refused" in one else points(one["effect"], one["low"], one["high"])
            rows.append(["", f"{name}: {keys}", percent(one["accuracy"]) if "accuracy" in one else "", effect])
    return markdown(["network", "ingredient", "accuracy", "effect in points (95 % interval)"], rows)


def distillation() -> str:
    """Accuracy of networks with and without a teacher."""
    rows = []
    for name, found in results("distillation")["figures"].items():
        student, teacher = name.split(" on ")[0].split(" from ")
        rows.append(
            [
                f"`{student}`",
                f"`{teacher}`, {percent(found['teacher']['score'])}",
                percent(found["accuracy"]["alone"]),
                percent(found["accuracy"]["taught"]),
                points(found["difference"], *found["interval"]),
                f"{found['test_examples']:,}",
                str(found["seeds"]),
            ]
        )
    titles = ["network", "teacher", "alone", "with the teacher", "difference in points", "test examples", "seeds"]
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
    titles = ["multiply-adds", "processor", "format", "accuracy", "difference in points", "bytes", "latency", "ratio"]
    return markdown(titles, rows)


def label_fraction() -> str:
    """Accuracy of networks with few labels, alone and with images without labels."""
    rows = []
    for network, found in results("label_fraction")["figures"].items():
        mean, gains = found["mean_accuracy"], found["gain_over_from_nothing"]
        for number, (way, title) in enumerate(WAYS.items()):
            if way in mean:
                gain = ""
                if way in gains:
                    gain = f"{100 * gains[way]['mean']:+.1f} (at least {100 * gains[way]['least']:+.1f})"
                rows.append(["" if number else f"`{network.replace(' ', '-')}`", title, percent(mean[way]), gain])
    return markdown(["network", "training", "accuracy", "difference from the first row, in points"], rows)


WAYS = {
    "from_nothing": "from scratch",
    "pretrained": "after SimCLR",
    "pretrained_frozen": "after SimCLR, only the head",
    "fixmatch": "FixMatch",
}
"""The trainings of label_fraction.json and how the documents call them."""


def several_tasks() -> str:
    """Accuracy of a network with two targets, and of two networks with one target each."""
    rows = []
    for task, formats in results("several_tasks")["figures"]["tasks"].items():
        one = formats["onnx"]
        low, high = one["interval"]
        difference = points(one["difference_in_points"] / 100, low / 100, high / 100)
        rows.append([task, percent(one["accuracy_together"]), percent(one["accuracy_alone"]), difference])
    return markdown(["target", "together", "alone", "difference in points (95 % interval)"], rows)


def scale() -> str:
    """Cost and accuracy of networks of several sizes, and the power law that fits each series."""
    result = results("scale")
    rows, laws = [], []
    for series, found in result["figures"]["families"].items():
        family, way = series.split()
        for row in found["networks"]:
            rows.append(_scale_row(f"{family} {row['name']}", row))
        if law := found["law"]:
            low, high = law["exponent_interval"]
            gained = points(law["doubling"]["gain"], *law["doubling"]["gain_interval"])
            laws.append(
                f"- {way} of `{family}`: exponent {law['exponent']:.3f} ({low:.3f} to {high:.3f}); "
                f"a network with twice the multiply-adds of the largest would gain {gained} points"
            )
    titles = ["network", "parameters", "multiply-adds", "training", "accuracy (95 % interval)", "latency"]
    return "\n\n".join([markdown(titles, rows), "\n".join(laws), f"Latency: one thread ({measured_on(result)})."])


def _scale_row(name: str, row: dict[str, Any]) -> list[str]:
    return [
        f"`{name}`",
        counted(row["parameters"]),
        counted(row["multiply_adds"]),
        f"{row['train_seconds']:.0f} s",
        f"{percent(row['score'])} ({100 * row['score_low']:.1f}–{100 * row['score_high']:.1f})",
        f"{short(row['latency']['p50_ms'])} ms" if row["latency"] else "not exported",
    ]
