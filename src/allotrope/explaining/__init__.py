"""One picture on its way through a trained network: which arrays there are, and their numbers."""
