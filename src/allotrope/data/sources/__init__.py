"""Readers: one file or folder for each kind of source."""
