"""8-bit ONNX files: calibration, quantization, and the budget of accuracy that they are held to."""
