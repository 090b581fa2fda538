"""The race of frameworks behind `compare`: one network, weights and batches, a process each."""
