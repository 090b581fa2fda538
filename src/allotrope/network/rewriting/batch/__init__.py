"""Frees a batch length that an exporter baked in."""

from allotrope.network.rewriting.batch.freeing import free_batch

__all__ = ["free_batch"]
