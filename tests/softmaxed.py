"""Networks as runs delivered them before there were columns."""

from __future__ import annotations

import json

from allotrope.network.graph import Value
from allotrope.network.rewriting.rewriter import Rewriter


def with_probabilities(network, classes):
    """Gives `probabilities` [n, k] in place of its logits, with class names in metadata."""
    (logits,) = network.outputs
    rewriter = Rewriter(network.graph, network.weights)
    name = rewriter.append("Softmax", (logits.name,), "probabilities", {"axis": -1})
    rewriter.give(Value(name, logits.dtype, logits.shape))
    ended = rewriter.applied_to(network)
    return ended.changed(metadata={"classes": json.dumps(list(classes))})
