"""Tables of accuracy: of exported files, of fine-tuning, and of networks of tables and sound."""

from __future__ import annotations

from benchmarks.tables.figures import markdown, percent, results


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


def trainings() -> str:
    """The accuracy of trained networks of images and texts, and the time of their trainings on two cores."""
    images, sentences = results("recipes")["figures"], results("sentences")["figures"]
    languages = results("man_pages")["figures"]
    resnet, cnn = images["resnet-small"]["small-images"], images["cnn-base"]["default"]
    trainings = [
        ("`resnet` small on Fashion-MNIST", resnet["minutes"] * 60, resnet),
        ("`cnn` base on Fashion-MNIST", cnn["minutes"] * 60, cnn),
        *(
            (f"{network} on the sentiment of sentences", sentences[key]["train_seconds"], sentences[key])
            for network, key in (("`bert` small, from MiniLM's weights,", "bert-small"), ("`lstm` small", "lstm-small"))
        ),
        ("`lstm` small on paragraphs in nine languages", languages["train_seconds"], languages),
    ]
    rows = []
    for network, seconds, figures in trainings:
        low, high = (100 * bound for bound in figures["interval"])
        accuracy = f"{percent(figures['accuracy'])} ({low:.1f} to {high:.1f})"
        rows.append([network, _duration(seconds), accuracy])
    return markdown(["network and data", "training", "test accuracy (95 % interval)"], rows)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes >= 10 else f"{minutes:.1f} min" if minutes >= 1 else f"{seconds:.0f} s"


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


def tables_accuracy() -> str:
    """Networks of tables against scikit-learn's models: the mean over splits."""
    rows = [
        [
            f"`{name.split()[0]}` on {name.split()[1]}",
            {"accuracy": "accuracy", "r2": "R²"}[figures["metric"]],
            f"{figures['zoo']:.3f}",
            f"{figures['scikit_learn']:.3f}",
            f"{figures['difference']:+.3f}",
            f"{figures['scikit_learn_default']:.3f}" if "scikit_learn_default" in figures else "",
        ]
        for name, figures in results("tables_accuracy")["figures"]["networks"].items()
    ]
    titles = ["network", "metric", "zoo", "scikit-learn", "difference", "scikit-learn with 100 units"]
    return markdown(titles, rows)


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
