"""The race of frameworks behind `compare`: the same network, weights and batches in each, every one in processes of its own."""
