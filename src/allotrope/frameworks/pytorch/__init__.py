"""PyTorch: its primitives, models and trainer, and alone what imports it."""
