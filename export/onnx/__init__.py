"""The ONNX file: conversion of a network, passes over the graph, and the lint of the result.

Modules, in the order in which they work:

- `conversion`: tf2onnx, onnxruntime's constant folding, then the passes; writes the float32 file.
- `passes`: all passes over the graph, in one table in the order in which they run.
- `graph_index`: lookup tables over a graph, which the passes and the lint use.
- `integer_kernels`: the nodes that onnxruntime can compute on integers faster than in float32.
- `expected_transposes`: the number of Transposes that a network needs, counted on its Keras layers.
- `skeleton`: the graph of a file without its large weights.
- `lint`: rules on the graph of the file, and on the graph as onnxruntime fuses it.
- `fp16`: the float16 version of a float32 file.

README.md draws the files of an export and the order in which they are written.
"""
