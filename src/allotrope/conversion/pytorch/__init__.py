"""Networks as ordinary models of PyTorch."""
