"""Data frames of any library, and files that hold such."""
