"""Rewriting: every change of a graph."""
