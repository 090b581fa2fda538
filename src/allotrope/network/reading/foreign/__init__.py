"""Operators of others, such as ONNX Runtime's, and how each is spelled in ONNX's own.

One file a family; each entry is a small function over a `Writer`.
"""
