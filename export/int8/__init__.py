"""The int8 file: calibration, quantization, and the accuracy and latency that decide whether it is kept.

Modules, in the order in which they work:

- `options`: the options, and the requests that are refused before work starts.
- `quantize`: runs the following on a float32 file and writes the int8 file.
- `equalization`: moves scales from the channels of activations into weights.
- `calibration`: the range of each tensor on training examples, from histograms.
- `qdq`: which nodes become integers, and the graph with QuantizeLinear and DequantizeLinear around them.
- `search`: the nodes that must stay in float32, so that the loss of accuracy stays within a budget.
- `verdict`: the loss of accuracy and the latency of the finished file, which may refuse it.
- `latency_ratio`: the latency of the int8 file as a multiple of the float32 file's.
- `float_islands`: the lint of the int8 file, which finds needless float32 between integers.

The passes that prepare a graph for integer kernels are in `zoo.export.onnx.passes`, with all other passes.
"""
