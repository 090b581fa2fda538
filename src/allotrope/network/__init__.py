"""The network as data: reading, normalizing, shapes, writing and building.

NumPy and onnx only; no framework.
"""
