"""Measures what was made: candidates in every runtime, each in a process of its own.

And delivers the best.
"""
