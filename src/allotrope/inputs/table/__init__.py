"""Rows of a table: numbers, and codes of categories."""
