"""A training in several processes: one leads, and each computes its rows of every batch."""
