"""PRelu's slopes, one a channel, laid along the channels.

ONNX lays the axes of a slope along the last ones of x; exporters that mean a slope a channel must
write it as [c, 1, 1] for x [n, c, h, w], and some write [c].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from allotrope.network.graph import Dimension, Graph, Node
from allotrope.network.names import listed
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import every_node

Report = Callable[[str], None]
Shape = tuple[Dimension, ...]


def with_slopes_by_channel(graph: Graph, report: Report) -> Graph:
    """Each PRelu whose slopes fit x nowhere but along its channels, with slopes that say so.

    If both readings fit, ONNX's stands.
    """
    if not any(_is_prelu(node) for node in graph.nodes):
        return graph
    rewriter, changed = Rewriter(graph), list[str]()
    uses = Counter(name for node in every_node(graph) for name in node.inputs)
    for node in filter(_is_prelu, rewriter.nodes()):
        x, name = rewriter.shape(node.inputs[0]), node.input(1)
        slopes = rewriter.arrays.get(name)
        if slopes is None or x is None or not _only_by_channel(slopes.shape, x):
            continue
        changed.append(node.label)
        laid = (-1, *[1] * (len(x) - 2))
        if uses[name] == 1:
            rewriter.put(name, slopes.reshape(laid))
        else:
            rewriter.replace(node.outputs, _laid_along(rewriter, node, laid))
    if not changed:
        return graph
    report(f"repair: PRelu {listed(changed)} has a slope a channel: it fits x nowhere else")
    return rewriter.result()


def _is_prelu(node: Node) -> bool:
    return node.operator == "PRelu" and not node.domain


def _laid_along(rewriter: Rewriter, node: Node, laid: Sequence[int]) -> list[Node]:
    """The node behind a Reshape of its slopes, which others take as they are."""
    axes = rewriter.constant(f"{node.label}/shape", np.array(laid, np.int64))
    slopes = rewriter.fresh(f"{node.label}/slopes")
    reshape = Node("Reshape", (node.inputs[1], axes), (slopes,), {}, slopes)
    return [reshape, node.with_input(1, slopes)]


def _only_by_channel(slopes: Shape, x: Shape) -> bool:
    """Whether slopes of one number a channel do not fit x [n, c, ...] as ONNX lays them.

    A free length is none that the number of channels could be counted on to fit.
    """
    count = max((n for n in slopes if isinstance(n, int)), default=1)
    if len(x) < 3 or count == 1 or [n for n in slopes if n != 1] != [count] or x[1] != count:
        return False
    if len(slopes) > len(x):
        return True
    return any(n not in (1, m) for n, m in zip(reversed(slopes), reversed(x), strict=False))
