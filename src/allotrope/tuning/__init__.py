"""The search for a better recipe and size: its space, its rungs, and the study that remembers."""
