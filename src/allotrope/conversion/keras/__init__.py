"""Networks as ordinary models of Keras."""
