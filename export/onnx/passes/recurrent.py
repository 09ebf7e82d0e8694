"""LSTM nodes: they get the lengths of their sequences and the direction in which to read them.

`zoo.export.onnx.operators` writes these nodes for a TensorFlow operation that has neither lengths nor directions.
Around it, the graph reverses each text to read it backwards, computes states for the padding, too, and picks the last
state out of all of them. ONNX's LSTM takes the lengths, and then computes and returns only the states that are read.
Sequences are [length, batch, width] at the node, and lengths are int64 [batch]. All passes run before constants are
folded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, attributes_of

LENGTHS = 4
"""The input of an LSTM node with the lengths, int32 [batch]."""

SWAP = [1, 0, 2]
"""The permutation of a Transpose from [batch, length, width] to [length, batch, width], and back."""


def transpose_ids(model: Any) -> None:
    """Transpose the ids of tokens instead of the vectors that are gathered by them."""
    import onnx

    index = GraphIndex(model)
    transposed = set[str]()
    for node in _of_type(index, "Transpose") if _lstms(index) else ():
        gather = index.producers.get(node.input[0])
        if gather is None or gather.op_type != "Gather" or index.sole_consumer(gather.output[0]) is None:
            continue
        table, ids = gather.input
        if (
            attributes_of(node).get("perm") != SWAP
            or len(index.shapes[ids]) != 2
            or attributes_of(gather).get("axis", 0) != 0
        ):
            continue
        new = [onnx.helper.make_node("Gather", [table, f"{ids}_by_step"], list(node.output), name=gather.name)]
        if ids not in transposed:  # several tables may be read by the same ids
            new.insert(0, onnx.helper.make_node("Transpose", [ids], [f"{ids}_by_step"], perm=SWAP[:2]))
            transposed.add(ids)
        index.replace([gather, node], new)


def return_last_states(model: Any) -> None:
    """Give an LSTM the lengths and let it return its last state where only the first of its reversed states is read."""
    import onnx

    index = GraphIndex(model)
    for lstm in _lstms(index):
        squeeze = _reader(index, lstm.output[0], "Squeeze")
        reversal = _reader(index, squeeze.output[0], "ReverseSequence") if squeeze else None
        gather = _reader(index, reversal.output[0], "Gather") if reversal else None
        if (
            reversal is None
            or gather is None
            or not _is_reversal(reversal, by_step=True)
            or _lengths(lstm, index)
            or attributes_of(gather).get("axis", 0) != 0
            or index.scalar(gather.input[1]) != 0
            or index.initializers[gather.input[1]].dims
        ):
            continue
        _set_lengths(lstm, reversal.input[1], index)
        last = f"{lstm.output[0]}_last"
        lstm.output[:] = ["", last]
        first = index.add_initializer(f"{last}_axis", np.array([0]))
        index.replace([squeeze, reversal, gather], [onnx.helper.make_node("Squeeze", [last, first], gather.output)])


def stop_at_lengths(model: Any) -> None:
    """Give an LSTM the lengths where nothing reads its states beyond them: it returns zeros there."""
    index = GraphIndex(model)
    for lstm in reversed(_lstms(index)):
        candidates = (
            _lengths_of_readers(lstm.output[0], index) if lstm.output[0] and not _lengths(lstm, index) else set()
        )
        lengths = candidates.pop() if len(candidates) == 1 else None
        if lengths:
            _set_lengths(lstm, lengths, index)


def read_backwards(model: Any) -> None:
    """Let an LSTM that has the lengths read its sequences backwards, instead of reversing them before and after."""
    import onnx

    index = GraphIndex(model)
    for lstm in _lstms(index):
        before, lengths = index.producers.get(lstm.input[0]), _lengths(lstm, index)
        if (
            before is None
            or lengths is None
            or not _is_reversal(before, lengths)
            or attributes_of(lstm).get("direction")
        ):
            continue
        if lstm.output[0]:
            squeeze = _reader(index, lstm.output[0], "Squeeze")
            after = _reader(index, squeeze.output[0], "ReverseSequence") if squeeze else None
            if squeeze is None or after is None or not _is_reversal(after, lengths):
                continue
            index.graph.node.remove(after)
            squeeze.output[0] = after.output[0]
        lstm.input[0] = before.input[0]
        lstm.attribute.append(onnx.helper.make_attribute("direction", "reverse"))
        index.consumers[before.output[0]].remove(lstm)
        if not index.consumers[before.output[0]]:
            index.graph.node.remove(before)


def join_directions(model: Any) -> None:
    """Merge two LSTMs of opposite directions, whose states are concatenated, into one bidirectional LSTM."""
    import onnx

    index = GraphIndex(model)
    for concat in _of_type(index, "Concat"):
        last = [_last_states(name, index) for name in concat.input]
        every = [_all_states(name, index) for name in concat.input]
        branches = next((nodes for nodes in (last, every) if len(nodes) == 2 and all(nodes)), [])
        if not branches or attributes_of(concat).get("axis") not in (-1, 1 if branches is last else 2):
            continue
        forward, backward = (nodes[0] for nodes in branches)
        units = attributes_of(forward)["hidden_size"]
        alike = forward.input[0] == backward.input[0] and forward.input[LENGTHS:] == backward.input[LENGTHS:]
        directions = [attributes_of(lstm).get("direction", b"forward") for lstm in (forward, backward)]
        if not alike or units != attributes_of(backward).get("hidden_size") or directions != [b"forward", b"reverse"]:
            continue
        stem, result = forward.name or concat.output[0], concat.output[0]
        weights = [f"{stem}_{name}" for name in ("weights", "recurrent", "biases")]
        states, moved, joined = (f"{stem}_{name}" for name in ("states", "moved", "joined"))
        new = [
            onnx.helper.make_node("Concat", [forward.input[position], backward.input[position]], [name], axis=0)
            for position, name in enumerate(weights, start=1)
        ]
        new.append(
            onnx.helper.make_node(
                "LSTM", [forward.input[0], *weights, *forward.input[LENGTHS:]],
                [states] if branches is every else ["", states],
                name=forward.name, hidden_size=units, direction="bidirectional",
            )
        )  # fmt: skip
        perm = [0, 2, 1, 3] if branches is every else SWAP
        shape = index.add_initializer(f"{stem}_shape", np.array([0] * (len(perm) - 2) + [2 * units]))
        new.append(onnx.helper.make_node("Transpose", [states], [moved], perm=perm))
        new.append(onnx.helper.make_node("Reshape", [moved, shape], [joined if branches is every else result]))
        if branches is every:
            new.append(onnx.helper.make_node("Transpose", [joined], [result], perm=SWAP))
        index.replace([*branches[0], *branches[1], concat], new)


def _last_states(name: str, index: GraphIndex) -> list[Any]:
    """Return an LSTM and the Squeeze that alone reads its last state; empty where `name` is another value."""
    squeeze = _producer(index, name, "Squeeze")
    lstm = _producer(index, squeeze.input[0], "LSTM") if squeeze else None
    return [lstm, squeeze] if squeeze and lstm and list(lstm.output) == ["", squeeze.input[0]] else []


def _all_states(name: str, index: GraphIndex) -> list[Any]:
    """Return an LSTM, the Squeeze and the Transpose that alone read its states; empty where `name` is another value."""
    swap = _producer(index, name, "Transpose")
    squeeze = _producer(index, swap.input[0], "Squeeze") if swap and attributes_of(swap).get("perm") == SWAP else None
    lstm = _producer(index, squeeze.input[0], "LSTM") if squeeze else None
    return [lstm, squeeze, swap] if squeeze and lstm and list(lstm.output) == [squeeze.input[0]] else []


def _lengths_of_readers(name: str, index: GraphIndex, by_step: bool = True) -> set[str | None]:
    """Return the lengths up to which a sequence is read; None is among them if the sequence is read to its end.

    Args:
        name: of the sequence.
        index: of the graph.
        by_step: the sequence is [length, …, batch, width], not [batch, length, width].
    """
    lengths: set[str | None] = {None} if name in index.outputs else set()
    for node in index.consumers.get(name, []):
        if node.op_type == "LSTM" and by_step:
            lengths.add(_lengths(node, index))
        elif node.op_type == "Squeeze" or (node.op_type == "Concat" and attributes_of(node).get("axis") in (-1, 2)):
            lengths |= _lengths_of_readers(node.output[0], index, by_step)
        elif node.op_type == "Transpose" and attributes_of(node).get("perm") == SWAP:
            lengths |= _lengths_of_readers(node.output[0], index, not by_step)
        elif _is_reversal(node, by_step=by_step):
            lengths |= {node.input[1]} | _lengths_of_readers(node.output[0], index, by_step)
        else:
            lengths.add(None)
    return lengths


def _is_reversal(node: Any, lengths: str | None = None, *, by_step: bool = True) -> bool:
    """Return whether a node reverses sequences [length, batch, …] or [batch, length, …]; up to `lengths`, if given."""
    if node is None or node.op_type != "ReverseSequence" or lengths not in (None, node.input[1]):
        return False
    axes = attributes_of(node).get("time_axis", 0), attributes_of(node).get("batch_axis", 1)
    return axes == ((0, 1) if by_step else (1, 0))


def _lengths(lstm: Any, index: GraphIndex) -> str | None:
    """Return the int64 lengths that an LSTM has; None if it has none."""
    if len(lstm.input) <= LENGTHS or not lstm.input[LENGTHS]:
        return None
    cast = index.producers.get(lstm.input[LENGTHS])
    return cast.input[0] if cast is not None and cast.op_type == "Cast" else lstm.input[LENGTHS]


def _set_lengths(lstm: Any, lengths: str, index: GraphIndex) -> None:
    """Give an LSTM the lengths; all LSTMs with the same lengths share one Cast."""
    import onnx

    narrow = f"{lengths}_int32"
    if narrow not in index.producers:
        cast = onnx.helper.make_node("Cast", [lengths], [narrow], to=onnx.TensorProto.INT32)
        producer = index.producers.get(lengths)
        position = next((number for number, node in enumerate(index.graph.node, start=1) if node is producer), 0)
        index.graph.node.insert(position, cast)
        index.producers[narrow] = index.graph.node[position]
    lstm.input.append(narrow)


def _lstms(index: GraphIndex) -> list[Any]:
    return _of_type(index, "LSTM")


def _of_type(index: GraphIndex, op_type: str) -> list[Any]:
    return [node for node in index.graph.node if node.op_type == op_type]


def _reader(index: GraphIndex, name: str, op_type: str) -> Any | None:
    """Return the node that alone reads a value, if it has this type; None otherwise."""
    node = index.sole_consumer(name) if name else None
    return node if node is not None and node.op_type == op_type else None


def _producer(index: GraphIndex, name: str, op_type: str) -> Any | None:
    """Return the node that computes a value, if it has this type and only one node reads the value; else None."""
    node = index.producers.get(name)
    return node if node is not None and node.op_type == op_type and index.sole_consumer(name) else None
