"""Decoded examples on disk, so that nothing is decoded twice, read by rows if they are many."""
