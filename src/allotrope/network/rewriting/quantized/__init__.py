"""The float network that a quantized one stands for."""
