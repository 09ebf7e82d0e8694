"""All passes over an ONNX graph, in the order in which they run.

A pass is a function that changes an onnx.ModelProto in place, but not its answers, except for rounding and where its
docstring says so. To add one, write the function in a module of this package and add a row to `PASSES`.

Modules, in the order of their first pass:

- `recurrent`: LSTM nodes that know lengths and directions.
- `pooling`: means over height and width become GlobalAveragePool.
- `sequences`: convolutions and normalizations of [batch, frames, channels].
- `padding`: zero padding goes into convolutions and pools.
- `activations`: the pieces of HardSwish, HardSigmoid and Gelu become these operators.
- `reshapes`: Reshapes keep open lengths by constant shapes.
- `transposes`: Transposes and Reshapes that are not needed are removed.
- `channel_constants`: biases and scales per channel go into convolutions.
- `first_convolution`: how the first convolution reads the image.
- `masks`: the product of queries and keys adds the attention mask, for int8 only.
- `slices`: rows that no node reads are not computed.
- `initializers`: unused initializers are removed.
- `declarations`: inferred shapes, and imported operator sets.
- `channel_scales`: squeeze-and-excitation scales, expanded for float32 only.
- `average_pools`: averages after convolutions of one pixel instead of before them, for int8 only.
- `float16`: weights and arithmetic in float16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from zoo.export.onnx.passes.activations import fuse_gelu, fuse_hard_swish
from zoo.export.onnx.passes.average_pools import average_after_convolutions
from zoo.export.onnx.passes.channel_constants import fold_channel_constants
from zoo.export.onnx.passes.channel_scales import collapse_channel_scales, expand_channel_scales
from zoo.export.onnx.passes.declarations import remove_inferred_shapes, remove_unused_domains
from zoo.export.onnx.passes.first_convolution import convolve_nhwc_image, convolve_uint8_image
from zoo.export.onnx.passes.float16 import to_float16
from zoo.export.onnx.passes.initializers import remove_unused_initializers
from zoo.export.onnx.passes.masks import mask_by_keys
from zoo.export.onnx.passes.padding import fold_padding
from zoo.export.onnx.passes.pooling import use_global_average_pool
from zoo.export.onnx.passes.recurrent import (
    join_directions,
    read_backwards,
    return_last_states,
    stop_at_lengths,
    transpose_ids,
)
from zoo.export.onnx.passes.reshapes import keep_open_lengths
from zoo.export.onnx.passes.sequences import convolve_sequences, normalize_over_time, normalize_waveforms
from zoo.export.onnx.passes.slices import slice_before_rowwise
from zoo.export.onnx.passes.transposes import add_in_nchw, bypass_idle_moves_before_reshapes, remove_idle_moves

Stage = Literal["converted", "folded", "fp16", "int8", "int8_from_uint8"]
"""The graph that a pass runs on.

- `converted`: the float32 graph as tf2onnx wrote it.
- `folded`: the float32 graph after onnxruntime folded its constants; the result is the float32 file.
- `fp16`: a copy of the float32 file that becomes the fp16 file.
- `int8`: a copy of the float32 file that is then calibrated and quantized by `zoo.export.int8`.
- `int8_from_uint8`: the graph after `int8`, for targets with uint8 activations, whose first convolution can read the
  uint8 image directly.
"""


@dataclass(frozen=True)
class Pass:
    """A rewrite of a graph: when it runs, the function, and why it runs there."""

    stage: Stage
    run: Callable[[Any], None]
    reason: str


PASSES = (
    Pass("converted", transpose_ids, "Before join_directions: the Transpose has one reader for each direction."),
    Pass("converted", return_last_states, "Before the other passes on LSTMs: they need one that has lengths."),
    Pass("converted", stop_at_lengths, "After return_last_states. Before read_backwards, which removes the reversals."),
    Pass("converted", read_backwards, "After all LSTMs know the lengths."),
    Pass("converted", join_directions, "After read_backwards. Before folding, which concatenates the weights."),
    Pass(
        "converted",
        use_global_average_pool,
        "Before folding, which cancels the Transpose before the pool and folds the batch normalization in front of it.",
    ),
    Pass("converted", convolve_sequences, "Before folding, which cancels the Transposes between convolutions."),
    Pass("converted", normalize_over_time, "Before folding, for the same reason."),
    Pass(
        "converted", normalize_waveforms, "After sequences are convolved: the first convolution then reads a channel."
    ),
    Pass("folded", fold_padding, "First: later passes look for neighbors that a Pad would stand between."),
    Pass(
        "folded",
        fuse_hard_swish,
        "Before the passes on Transposes and Reshapes, which know the fused operator as elementwise.",
    ),
    Pass("folded", fuse_gelu, "With the other activations; no other pass depends on its place."),
    Pass(
        "folded",
        keep_open_lengths,
        "Before the passes on Transposes and Reshapes, which know shapes only from constants.",
    ),
    Pass("folded", bypass_idle_moves_before_reshapes, "Before remove_idle_moves: then the Reshape itself may be idle."),
    Pass("folded", remove_idle_moves, "Before the passes that look for a Transpose right behind a convolution."),
    Pass("folded", fold_channel_constants, "Before add_in_nchw: a bias behind a Transpose would hide it from an Add."),
    Pass("folded", add_in_nchw, "After fold_channel_constants."),
    Pass("folded", convolve_nhwc_image, "After fold_padding: it looks for the image's Transpose before a convolution."),
    Pass("folded", slice_before_rowwise, "After remove_idle_moves: a Slice does not move across a Reshape."),
    Pass("folded", remove_unused_initializers, "After the passes that replace nodes and their constants."),
    Pass("folded", remove_inferred_shapes, "Before expand_channel_scales, whose declared shapes it would remove."),
    Pass("folded", expand_channel_scales, "After remove_inferred_shapes; in the float32 file only."),
    Pass("folded", remove_unused_domains, "Anywhere after folding, which adds the domains."),
    Pass("fp16", collapse_channel_scales, "Undoes expand_channel_scales: a GPU broadcasts the scale."),
    Pass("fp16", to_float16, "Last, on the final graph."),
    Pass("int8", collapse_channel_scales, "Undoes expand_channel_scales: integer kernels broadcast the scale."),
    Pass("int8", average_after_convolutions, "In int8 files only: an average of integers is computed on floats."),
    Pass("int8", mask_by_keys, "In int8 files only: beside their faster products, the savings count for more."),
    Pass("int8_from_uint8", convolve_uint8_image, "Replaces the Cast and Add that convolve_nhwc_image left."),
)
"""Every pass in the order in which it runs; `collapse_channel_scales` runs in two stages."""


def apply(model: Any, stage: Stage) -> None:
    """Run the passes of a stage on an onnx.ModelProto, in place."""
    for graph_pass in PASSES:
        if graph_pass.stage == stage:
            graph_pass.run(model)
