"""The page of one picture's way through a network, a file for a few of its steps."""
