"""A vocabulary as a tree of characters, in which a graph finds the longest token at each position of a text."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from zoo.inputs.text.characters import CODES
from zoo.inputs.text.preprocessing import TextPreprocessing

BEGIN, CONTINUE = 0, 1
"""The nodes to start from: at the first character of a word, and at a later character."""

NONE = -1


@dataclass(frozen=True)
class Trie:
    """The edges of the tree, and the token that ends at each node.

    Attributes:
        edges: `node * CODES + code point`, int64, in ascending order.
        children: the node that each edge leads to, int32.
        tokens: the id of the token that ends at each node, int32, or `NONE`.
    """

    edges: np.ndarray
    children: np.ndarray
    tokens: np.ndarray


@functools.cache
def trie(preprocessing: TextPreprocessing) -> Trie:
    """Return the tree of a vocabulary."""
    edges: dict[int, int] = {}
    ids_of_nodes: dict[int, int] = {}
    for number, token in enumerate(preprocessing.vocabulary):
        _insert(edges, ids_of_nodes, BEGIN, token, number)
        if token.startswith(preprocessing.continuing):
            _insert(edges, ids_of_nodes, CONTINUE, token.removeprefix(preprocessing.continuing), number)
    tokens = np.full(len(edges) + 2, NONE, np.int32)
    tokens[list(ids_of_nodes)] = list(ids_of_nodes.values())
    keys = np.array(list(edges), np.int64)
    order = np.argsort(keys)
    return Trie(keys[order], np.array(list(edges.values()), np.int32)[order], tokens)


def _insert(edges: dict[int, int], ids_of_nodes: dict[int, int], node: int, characters: str, token_id: int) -> None:
    for character in characters:
        node = edges.setdefault(node * CODES + ord(character), len(edges) + 2)
    if characters:
        ids_of_nodes[node] = token_id
