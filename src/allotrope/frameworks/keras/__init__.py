"""Keras: its models and trainer, on the engine that KERAS_BACKEND names."""
