"""Networks as ordinary models of TensorFlow."""
