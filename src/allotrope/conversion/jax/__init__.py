"""Networks as ordinary models of flax."""
