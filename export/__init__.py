"""The export wing: from a run to an artifact whose every format is proven to compute what Keras computes.

`build` loops over the formats: `writers` write each, `gates` compare it with the `reference`, `accuracy` measures it.
`graph` is the computation that all formats share, `model_card` the artifact's README. `onnx`, `int8` and `tf_serving`
are the packages of the formats' own parts.
"""
