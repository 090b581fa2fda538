"""Texts as an input: raw bytes in, words and n-grams found and hashed by nodes of the network."""
