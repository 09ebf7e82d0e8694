"""Reading weights of transformers and sentence-transformers, from folders that the tests write for a tiny network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.errors import ZooError
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.models.bert import FAMILY
from zoo.models.bert.network import build
from zoo.weights.pretrained import TransformersModel
from zoo.weights.transformers_reader import open_checkpoint, read_transformers, refuse_other_heads
from zoo.weights_file import weights

WIDTH, DEPTH, HEADS, WORDS, LONGEST, CLASSES = 8, 2, 2, 20, 6, 3
CONFIG = {
    "model_type": "bert",
    "num_hidden_layers": DEPTH,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "intermediate_size": 4 * WIDTH,
    "hidden_act": "gelu",
}
MODULES = [
    {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
    for number, (kind, path) in enumerate(
        {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}.items()
    )
]
MEANS = {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


def published(size: str) -> TransformersModel:
    found = FAMILY.size(size).weights["transformers"]
    assert isinstance(found, TransformersModel)
    return dataclasses.replace(found, config=CONFIG)


FIRST, MEAN = published("base"), published("small")


def network(pooling: str = "first", classes: int = CLASSES, words: int = WORDS) -> keras.Model:
    tokens = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(words - 4)))
    ids, mask = (keras.Input((None,), dtype="int64", name=name) for name in ("input_ids", "attention_mask"))
    sides: dict[str, Any] = {"width": WIDTH, "depth": DEPTH, "heads": HEADS, "longest": LONGEST, "pooling": pooling}
    outputs = build(ids, mask, classes, TextPreprocessing(tokens, LONGEST), **sides)
    return keras.Model([ids, mask], outputs.logits, name="bert")


def shapes(*, head: bool = True, pooler: bool = True) -> Iterator[tuple[str, tuple[int, ...]]]:
    """transformers' names and shapes, without a prefix."""

    def dense(name: str, out: int, taken: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (out, taken)
        yield f"{name}.bias", (out,)

    def norm(name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (WIDTH,)
        yield f"{name}.bias", (WIDTH,)

    for table, rows in (("word", WORDS), ("position", LONGEST), ("token_type", 2)):
        yield f"embeddings.{table}_embeddings.weight", (rows, WIDTH)
    yield from norm("embeddings.LayerNorm")
    for number in range(DEPTH):
        block = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            yield from dense(f"{block}.attention.self.{part}", WIDTH, WIDTH)
        yield from dense(f"{block}.attention.output.dense", WIDTH, WIDTH)
        yield from norm(f"{block}.attention.output.LayerNorm")
        yield from dense(f"{block}.intermediate.dense", 4 * WIDTH, WIDTH)
        yield from dense(f"{block}.output.dense", WIDTH, 4 * WIDTH)
        yield from norm(f"{block}.output.LayerNorm")
    if pooler:
        yield from dense("pooler.dense", WIDTH, WIDTH)
    if head:
        yield from dense("classifier", CLASSES, WIDTH)


def folder_of(
    folder: Path, *, prefix: str = "", config: dict[str, Any] | None = None, **parts: bool
) -> dict[str, np.ndarray]:
    """Write a folder as transformers does; names before the head begin with `prefix`."""
    rng = np.random.default_rng(0)
    arrays = {
        name if name.startswith("classifier") else f"{prefix}{name}": rng.normal(size=shape).astype(np.float32)
        for name, shape in shapes(**parts)
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(arrays, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    return arrays


def sentence_transformers(folder: Path, modules: Any = MODULES, pooling: Any = MEANS) -> None:
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def rewritten(folder: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    arrays = load_file(folder / "model.safetensors")
    change(arrays)
    save_file(arrays, folder / "model.safetensors")


def refused(folder: Path, *, source: TransformersModel = FIRST, **options: Any) -> str:
    """Say why a folder is refused, and check that the network stays as it was."""
    model = network(**options)
    before = {name: variable.numpy() for name, variable in weights(model).items()}
    with pytest.raises(ZooError) as said:
        read_transformers(folder, model, source)
    assert all((before[name] == variable.numpy()).all() for name, variable in weights(model).items())
    assert "\n" not in str(said.value)
    return str(said.value)


def test_every_tensor_has_its_place(tmp_path: Path) -> None:
    arrays = folder_of(tmp_path, prefix="bert.")
    model = network()
    reading = read_transformers(tmp_path, model, FIRST)

    read = {name: variable.numpy() for name, variable in weights(model).items()}
    assert (reading.unused, reading.adapted, reading.remarks) == ((), (), ())
    kernel = np.concatenate(
        [arrays[f"bert.encoder.layer.1.attention.self.{part}.weight"].T for part in ("query", "key", "value")], 1
    )
    np.testing.assert_array_equal(read["block2_queries_keys_values/kernel"], kernel)
    np.testing.assert_array_equal(
        read["block1_queries_keys_values/bias"][WIDTH : 2 * WIDTH],
        arrays["bert.encoder.layer.0.attention.self.key.bias"],
    )
    np.testing.assert_array_equal(read["embeddings/words"], arrays["bert.embeddings.word_embeddings.weight"])
    np.testing.assert_array_equal(read["block1_norm/gamma"], arrays["bert.encoder.layer.0.output.LayerNorm.weight"])
    np.testing.assert_array_equal(read["logits/kernel"], arrays["classifier.weight"].T)


def test_the_file_of_weights_stands_for_its_folder(tmp_path: Path) -> None:
    folder_of(tmp_path)
    model, other = network(), network()
    assert read_transformers(tmp_path / "model.safetensors", model, FIRST) == read_transformers(tmp_path, other, FIRST)
    expected = weights(other)
    for name, variable in weights(model).items():
        np.testing.assert_array_equal(variable, expected[name], err_msg=name)


@pytest.mark.parametrize("own", ["bert.", ""])
@pytest.mark.parametrize("prefix", ["module.", "module._orig_mod."])
def test_wrappers_prefixes_are_left_out_with_a_remark(prefix: str, own: str, tmp_path: Path) -> None:
    arrays = folder_of(tmp_path, prefix=own)

    def wrapped(named: dict[str, np.ndarray]) -> None:
        for name in [*named]:
            named[prefix + name] = named.pop(name)
        named["n_averaged"] = np.array(3)

    rewritten(tmp_path, wrapped)
    model = network()
    reading = read_transformers(tmp_path, model, FIRST)
    assert reading.remarks == (f"all names in model.safetensors begin with '{prefix}', which is left out",)
    np.testing.assert_array_equal(weights(model)["logits/kernel"].numpy(), arrays["classifier.weight"].T)
    words = arrays[f"{own}embeddings.word_embeddings.weight"]
    np.testing.assert_array_equal(weights(model)["embeddings/words"].numpy(), words)


def test_norms_of_the_first_bert_are_read(tmp_path: Path) -> None:
    """The published weights of the first BERT call the scale and offset of norms gamma and beta."""
    arrays = folder_of(tmp_path, prefix="bert.")

    def older(named: dict[str, np.ndarray]) -> None:
        for name in [name for name in named if "LayerNorm" in name]:
            named[name.replace("weight", "gamma").replace("bias", "beta")] = named.pop(name)

    rewritten(tmp_path, older)
    model = network()
    read_transformers(tmp_path, model, FIRST)
    found = weights(model)["embeddings_norm/gamma"].numpy()
    np.testing.assert_array_equal(found, arrays["bert.embeddings.LayerNorm.weight"])


def test_an_encoder_alone_leaves_the_rest_fresh(tmp_path: Path) -> None:
    folder_of(tmp_path, head=False, pooler=False)

    def predicting(named: dict[str, np.ndarray]) -> None:
        named["cls.predictions.bias"] = np.zeros(WORDS, np.float32)
        named["embeddings.position_ids"] = np.arange(LONGEST)[None]

    rewritten(tmp_path, predicting)
    model = network()
    before = model.get_layer("pooler").get_weights()[0]
    reading = read_transformers(tmp_path, model, FIRST)

    assert set(reading.unused) == {"cls.predictions.bias", "embeddings.position_ids"}
    assert reading.remarks == tuple(
        f"the weights have no layer for {one}: it starts fresh" for one in ("logits", "pooler")
    )
    np.testing.assert_array_equal(model.get_layer("pooler").get_weights()[0], before)


def test_words_beyond_the_vocabulary_are_left_out(tmp_path: Path) -> None:
    arrays = folder_of(tmp_path)
    model = network(words=WORDS - 3)
    reading = read_transformers(tmp_path, model, FIRST)
    expected = arrays["embeddings.word_embeddings.weight"][:-3]
    np.testing.assert_array_equal(weights(model)["embeddings/words"].numpy(), expected)
    assert reading.adapted == (
        "3 rows of embeddings.word_embeddings.weight that the vocabulary does not have are left out",
    )


def test_sentence_transformers(tmp_path: Path) -> None:
    folder_of(tmp_path, head=False)
    sentence_transformers(tmp_path)
    assert open_checkpoint(tmp_path).pooling == "mean"
    reading = read_transformers(tmp_path, network("mean"), MEAN)
    assert reading.unused == ("pooler.dense.bias", "pooler.dense.weight")
    assert reading.remarks == (
        "sentence-transformers scales the vectors to length 1: zoo does not",
        "the weights have no layer for logits: it starts fresh",
    )
    other = read_transformers(tmp_path, network(), FIRST)
    assert other.remarks[-1] == "sentence-transformers pools these weights by 'mean', not 'first'"


def test_sentence_transformers_of_other_modules_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, head=False)
    dense = {**MODULES[2], "type": "sentence_transformers.models.Dense"}
    sentence_transformers(tmp_path, [*MODULES[:2], dense])
    assert "has the modules Transformer, Pooling, Dense: a Transformer" in refused(
        tmp_path, source=MEAN, pooling="mean"
    )
    (tmp_path / "modules.json").write_text(json.dumps([{**MODULES[0], "path": "../elsewhere"}, *MODULES[1:]]))
    assert "leads out of its folder" in refused(tmp_path, source=MEAN, pooling="mean")


def test_labels(tmp_path: Path) -> None:
    folder_of(tmp_path, config={"id2label": {"1": "good", "0": "bad"}})
    assert open_checkpoint(tmp_path).labels == ("bad", "good")
    folder_of(tmp_path)
    assert open_checkpoint(tmp_path).labels is None


def test_a_file_that_does_not_fit_says_all_that_is_wrong(tmp_path: Path) -> None:
    folder_of(tmp_path)

    def broken(named: dict[str, np.ndarray]) -> None:
        del named["encoder.layer.1.attention.self.key.bias"]
        named["embeddings.position_embeddings.weight"] = np.zeros((LONGEST + 1, WIDTH), np.float32)
        named["extra.weight"] = np.zeros(1, np.float32)

    rewritten(tmp_path, broken)
    said = refused(tmp_path)
    assert "missing: block2_queries_keys_values/bias" in said
    assert "left over: extra.weight" in said
    assert f"embeddings.position_embeddings.weight is [{LONGEST + 1}, {WIDTH}], not [{LONGEST}, {WIDTH}]" in said


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path)
    rewritten(tmp_path, lambda named: named["pooler.dense.weight"].__setitem__((0, 0), np.nan))
    assert f"pooler.dense.weight has 1 of {WIDTH * WIDTH} numbers that are not finite" in refused(tmp_path)


def test_integers_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path)
    rewritten(tmp_path, lambda named: named.update({"classifier.bias": np.zeros(CLASSES, np.int32)}))
    assert "classifier.bias has the data type I32" in refused(tmp_path)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path)
    assert f"it has {CLASSES} classes, not 5: ask for {CLASSES}" in refused(tmp_path, classes=5)


def test_a_head_of_another_pooling_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path)
    assert "its head reads a pooler" in refused(tmp_path, source=MEAN, pooling="mean")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_attention_heads", 4),  # no shape tells
        ("hidden_act", "relu"),
        ("model_type", "roberta"),
        ("layer_norm_eps", 1e-5),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
    ],
)
def test_a_configuration_of_another_network_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    folder_of(tmp_path, config={key: value})
    assert f"{key} is {value!r}, not " in refused(tmp_path)


def test_the_size_that_a_configuration_fits_is_named(tmp_path: Path) -> None:
    mini = FAMILY.size("mini").weights["transformers"]
    assert isinstance(mini, TransformersModel)
    folder_of(tmp_path, config={**mini.config})
    assert refused(tmp_path).endswith("): it fits bert mini")
    folder_of(tmp_path, config={**mini.config, "num_attention_heads": 16})
    assert refused(tmp_path).endswith("): it fits no network that zoo knows")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert "is not a folder of transformers" in refused(tmp_path / "nothing")
    folder_of(tmp_path)
    (tmp_path / "config.json").unlink()
    assert "there is no file" in refused(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert "is not JSON that can be read" in refused(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert "holds no JSON object" in refused(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert "cannot be read as a safetensors file" in refused(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").touch()
    assert "pytorch_model.bin is a pickle, which can run code" in refused(tmp_path)
    (tmp_path / "model.safetensors.index.json").touch()
    assert "its weights are in several files" in refused(tmp_path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"architectures": ["BertForTokenClassification"]}, "is of a BertForTokenClassification, whose head"),
        ({"architectures": ["BertForQuestionAnswering"]}, "whose head zoo does not have"),
        (
            {"architectures": ["BertForSequenceClassification"], "problem_type": "multi_label_classification"},
            "has a head for multi_label_classification",
        ),
        ({"architectures": ["BertForSequenceClassification"], "problem_type": "regression"}, "head for regression"),
        ({"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}, "a head with one output"),
    ],
)
def test_heads_that_would_answer_wrongly_are_refused(config: dict[str, Any], reason: str, tmp_path: Path) -> None:
    folder_of(tmp_path, config=config)
    with pytest.raises(ZooError, match=reason):
        refuse_other_heads(open_checkpoint(tmp_path))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architectures": ["BertModel"]},
        {"architectures": ["Contriever"], "model_type": "bert"},
        {"architectures": ["BertLMHeadModel"]},
        {"architectures": ["BertForMaskedLM"], "id2label": {"0": "LABEL_0"}},
        {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "1": "good"}},
        {"architectures": ["BertForSequenceClassification"], "problem_type": "single_label_classification"},
    ],
)
def test_other_folders_are_not_refused(config: dict[str, Any], tmp_path: Path) -> None:
    folder_of(tmp_path, config=config)
    refuse_other_heads(open_checkpoint(tmp_path))


@pytest.mark.parametrize(
    ("pooling", "name"),
    [
        ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
        ({"pooling_mode": ["cls"]}, "first"),
        ({"pooling_mode": ["mean", "max"]}, "mean+max"),
        ({"pooling_mode_cls_token": True}, "first"),
        ({}, "nothing"),
    ],
)
def test_poolings_of_older_and_newer_sentence_transformers(pooling: dict[str, Any], name: str, tmp_path: Path) -> None:
    folder_of(tmp_path, head=False)
    sentence_transformers(tmp_path, pooling=pooling)
    assert open_checkpoint(tmp_path).pooling == name


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("license: apache-2.0", "Apache-2.0"),
        ("license:\n- apache-2.0", "Apache-2.0"),
        ("license:\n  - 'mit'\ntags: x", "MIT"),
        ("license:\n- mit\n- gpl-3.0", None),
        ("license: mit # as its authors say", "MIT"),
        ("license:\ntags: x", None),
        ("license: ", None),
        ("tags: x", None),
    ],
)
def test_licenses_of_cards(card: str, license: str | None, tmp_path: Path) -> None:
    folder_of(tmp_path)
    (tmp_path / "README.md").write_text(f"---\n{card}\n---\n# A model\n")
    assert open_checkpoint(tmp_path).license == license
