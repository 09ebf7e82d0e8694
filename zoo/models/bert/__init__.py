"""BERT: transformers that read a text in both directions."""

from __future__ import annotations

from typing import Any

from zoo.family import Family, Size
from zoo.models.bert.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.weights.names import Names
from zoo.weights.pretrained import TransformersModel

LONGEST = 512
"""The most tokens of a text: there is a learned position for each."""

REFERENCE = (128, 30_522)
"""The reference: tokens of a text, and of the vocabulary."""

_BLOCK = "encoder.layer.{b}"

TRANSFORMERS_NAMES: Names = {
    "embeddings.word_embeddings.weight": "embeddings/words",
    "embeddings.position_embeddings.weight": "embeddings/positions",
    "embeddings.token_type_embeddings.weight": "embeddings/types",
    "embeddings.LayerNorm": "embeddings_norm",
    "embeddings.position_ids": None,
    f"{_BLOCK}.attention.self.query": "block{b+1}_queries_keys_values[0/3]",
    f"{_BLOCK}.attention.self.key": "block{b+1}_queries_keys_values[1/3]",
    f"{_BLOCK}.attention.self.value": "block{b+1}_queries_keys_values[2/3]",
    f"{_BLOCK}.attention.output.dense": "block{b+1}_attended",
    f"{_BLOCK}.attention.output.LayerNorm": "block{b+1}_attention_norm",
    f"{_BLOCK}.intermediate.dense": "block{b+1}_widen",
    f"{_BLOCK}.output.dense": "block{b+1}_narrow",
    f"{_BLOCK}.output.LayerNorm": "block{b+1}_norm",
    # The heads of pretraining, which predict hidden words, and whether two texts belong together.
    "cls.predictions.bias": None,
    "cls.predictions.transform.dense": None,
    "cls.predictions.transform.LayerNorm": None,
    "cls.predictions.decoder": None,
    "cls.seq_relationship": None,
}

POOLED = {"pooler.dense": "pooler", "classifier": "logits"}
"""The rest of the names where the first token goes through a pooler."""

UNPOOLED = {"pooler.dense": None}
"""The rest of the names if the mean of all tokens is taken: the pooler, which some weights still have, is not read."""


def _size(
    name: str, alias: str, model: str, parameters: int, multiply_adds: int, *, pooling: str = "first", **options: int
) -> Size:
    mean = pooling == "mean"
    published = TransformersModel(
        model,
        {**TRANSFORMERS_NAMES, **(UNPOOLED if mean else POOLED)},
        config={
            "model_type": "bert",
            "num_hidden_layers": options["depth"],
            "hidden_size": options["width"],
            "num_attention_heads": options["heads"],
            "intermediate_size": 4 * options["width"],
            "hidden_act": "gelu",
        },
        assumed={"layer_norm_eps": 1e-12, "position_embedding_type": "absolute", "is_decoder": False},
        prefix="bert.",
        fresh=("logits", "pooler"),
        cut=("embeddings/words",),
        refused={"classifier": "its head reads a pooler, and this size takes the mean of all tokens"} if mean else {},
        pooling=pooling,
    )
    kept: dict[str, Any] = {**options, "longest": LONGEST, "pooling": pooling}
    weights = {"transformers": published}
    return Size(name, (alias,), kept, parameters, multiply_adds, REFERENCE, classes=2, weights=weights)


FAMILY = Family(
    name="bert",
    title="BERT",
    reference="Devlin et al. 2018, arXiv:1810.04805, as transformers' BertForSequenceClassification; small is MiniLM, "
    "Wang et al. 2020, arXiv:2002.10957, pooled as sentence-transformers does (Reimers & Gurevych 2019, "
    "arXiv:1908.10084); mini is one of Turc et al. 2019, arXiv:1908.08962",
    builder="zoo.models.bert.network",
    input="text",
    pretext_options={"mlm": {"all_tokens": True}},
    scaled={"embeddings": 64},
    figures="with a vocabulary of 30,522 tokens, texts of 128 tokens and 2 classes; the parameters are those of "
    "transformers; small leaves out the pooler (147,840), which sentence-transformers does not use; if only the first "
    "token is read, the last block counts the multiply-adds of that token alone",
    # Devlin et al. 2018, appendix A.3, fine-tune with AdamW at 2e-5 to 5e-5 for 2 to 4 epochs in batches of 16 or 32.
    small_images="",
    recipe=Recipe(
        epochs=3,
        batch_size=32,
        optimizer=Optimizer(name="adamw", lr=5e-5, weight_decay=1e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=0.3),
    ),
    measured="bert small from MiniLM's weights, with epochs=1, optimizer.lr=1e-4 and text.max_length=64: 0.920 at the "
    "sentiment of sentences (results/sentences.json)",
    recipes=RECIPES,
    sizes=(
        _size(
            "small",
            "minilm-l6",
            "sentence-transformers/all-MiniLM-L6-v2",
            22_566_146,
            1_434_452_736,
            width=384,
            depth=6,
            heads=12,
            pooling="mean",
        ),
        _size(
            "mini",
            "bert-l4-h512",
            "google/bert_uncased_L-4_H-512_A-8",
            28_764_674,
            1_361_708_032,
            width=512,
            depth=4,
            heads=8,
        ),
        _size(
            "base",
            "bert-base",
            "google-bert/bert-base-uncased",
            109_483_778,
            10_475_079_168,
            width=768,
            depth=12,
            heads=12,
        ),
        _size(
            "large",
            "bert-large",
            "google-bert/bert-large-uncased",
            335_143_938,
            38_229_248_000,
            width=1024,
            depth=24,
            heads=16,
        ),
    ),
)
