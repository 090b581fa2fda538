"""Smaller and faster forms of a network."""
