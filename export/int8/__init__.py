"""The int8 file: calibration, quantization, and the accuracy and latency that decide whether it is kept.

Modules, in the order in which they work:

- `quantize`: runs all of the following on a float32 file and keeps the loss of accuracy within a budget.
- `equalization`: moves scales from the channels of activations into weights.
- `calibration`: the range of each tensor on training examples, from histograms.
- `qdq`: which nodes become integers, and the graph with QuantizeLinear and DequantizeLinear around them.
- `latency_ratio`: the latency of the int8 file as a multiple of the float32 file's.
- `float_islands`: the lint of the int8 file, which finds needless float32 between integers.

The passes that prepare a graph for integer kernels are in `zoo.export.onnx.passes`, with all other passes.
"""
