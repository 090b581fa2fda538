"""Tables in text files: their rows and columns, and the pictures that they name."""
