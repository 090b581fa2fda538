"""Operators of others, such as those that ONNX Runtime's optimizer and quantizer write, and how each is spelled in ONNX's own.

One file a family; each entry is a small function over a `Writer`.
"""
