"""What each ONNX operator means, written once over primitives."""
