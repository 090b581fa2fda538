"""The form of a network that only answers: what no answer needs is not computed."""
