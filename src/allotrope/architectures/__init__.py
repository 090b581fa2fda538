"""Which network for which data, with its recipe and the reasons."""
