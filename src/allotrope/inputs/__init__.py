"""What a network takes: one folder or file for each kind of input."""
