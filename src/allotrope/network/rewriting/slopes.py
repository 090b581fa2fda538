"""PRelu's slopes, one a channel, laid along the channels.

ONNX lays the axes of a slope along the last ones of x; exporters that mean a slope a channel must
write it as [c, 1, 1] for x [n, c, h, w], and some write [c].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Dimension, Graph, Node, Value
from allotrope.network.names import free_name, listed, names_in
from allotrope.network.used import every_node

Report = Callable[[str], None]
Shape = tuple[Dimension, ...]


def with_slopes_by_channel(graph: Graph, report: Report) -> Graph:
    """Each PRelu whose slopes fit x nowhere but along its channels, with slopes that say so.

    If both readings fit, ONNX's stands.
    """
    if not any(node.operator == "PRelu" and not node.domain for node in graph.nodes):
        return graph
    known = {value.name: value for value in (*graph.values.values(), *graph.inputs, *graph.outputs)}
    constants, taken = dict(graph.constants), names_in(graph)
    uses = Counter(name for node in every_node(graph) for name in node.inputs)
    nodes, changed = list[Node](), list[str]()
    for node in graph.nodes:
        slopes = constants.get(node.inputs[1]) if node.operator == "PRelu" and len(node.inputs) > 1 else None
        shape = _shape(node, known, constants)
        if slopes is None or shape is None or not _only_by_channel(slopes.shape, shape):
            nodes.append(node)
            continue
        laid = (-1, *[1] * (len(shape) - 2))
        changed.append(node.label)
        if uses[node.inputs[1]] == 1:
            constants[node.inputs[1]] = slopes.reshape(laid)
            nodes.append(node)
            continue
        axes, name = (free_name(f"{node.label}/{kind}", taken) for kind in ("shape", "slopes"))
        constants[axes] = np.array(laid, np.int64)
        nodes += [
            Node("Reshape", (node.inputs[1], axes), (name,), {}, name),
            replace(node, inputs=(node.inputs[0], name)),
        ]
    if not changed:
        return graph
    report(f"repair: PRelu {listed(changed)} has a slope a channel: it fits x nowhere else")
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _shape(node: Node, known: Mapping[str, Value], constants: Mapping[str, np.ndarray]) -> Shape | None:
    if node.inputs[0] in constants:
        return constants[node.inputs[0]].shape
    value = known.get(node.inputs[0])
    return None if value is None else value.shape


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
