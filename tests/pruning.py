"""Whether a pruned network is what it should be: held to the masked one, by several comparers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime

from allotrope.errors import UsageError
from allotrope.frameworks.widening import widened, widened_array
from allotrope.network.reading.read import load
from allotrope.network.reading.shapes import infer_shapes
from allotrope.shrinking.prune import masked, pruned

TOLERANCE = 1e-5


def some_of(known, random, share):
    """The numbers of random groups, a share of all."""
    return [group.number for group in known if random.random() < share]


def pruned_as_far(network, removed, known):
    """What is left without as many of the groups as can go, and those that went."""
    removed = list(removed)
    while True:
        try:
            return pruned(network, removed, known), removed
        except UsageError:
            removed = removed[: len(removed) // 2]


def inputs_for(network, random, batch=2):
    """Random numbers of the network's shapes; free lengths are `batch`."""
    arrays = {}
    for value in network.inputs:
        shape = [n if isinstance(n, int) else batch for n in value.shape]
        arrays[value.name] = random.normal(size=shape).astype(value.dtype)
    return arrays


def problems(network, removed, result, inputs, known=None, framework="reference"):
    """What is wrong with `result` as the network without the groups `removed`; empty if nothing."""
    zeroed = masked(network, removed, known)
    expected, answers = (_answers(one, inputs, framework) for one in (zeroed, result))
    wrong = [
        *_differences(framework, expected, answers, TOLERANCE),
        *_of_the_file(result, zeroed, expected, inputs),
        *_of_the_shapes(result),
        *_of_the_weights(network, result),
    ]
    return wrong + _of_the_sizes(network, removed, result, known)


def _answers(network, inputs, framework):
    """Of the reference in float64, also of networks that it computes as runtimes do, in float32.

    What is rounded to integers would else be rounded otherwise after sums in another order.
    """
    if framework == "reference":
        network = widened(network)
        inputs = {name: widened_array(array) for name, array in inputs.items()}
    return network.run(inputs, framework)


def _differences(where, expected, outputs, tolerance):
    for name, array in expected.items():
        other = outputs[name]
        if other.shape != array.shape:
            yield f"{where}: {name} is {other.shape} instead of {array.shape}"
            continue
        error = np.abs(other - array).max(initial=0) / max(1.0, np.abs(array).max(initial=0))
        if not error <= tolerance:
            yield f"{where}: {name} differs by {error:.2g}"


def _of_the_file(result, zeroed, expected, inputs):
    """onnx takes it, ONNX Runtime computes the same, and it is read again as it was."""
    model = result.to_onnx()
    try:
        onnx.checker.check_model(model, full_check=True)
        wrong = _in_onnxruntime(model, expected, inputs)
    except Exception as error:  # noqa: BLE001 - it is counted, with its reason
        return [f"unreadable: {error}"]
    # Normalizing what is nearly constant, float32 gives anything: then that of the masked one too.
    if wrong and _in_onnxruntime(zeroed.to_onnx(), expected, inputs):
        wrong = []
    again = load(model, repair=False)
    if again.trainable != result.trainable or again.weights.keys() != result.weights.keys():
        wrong.append("read again it has other weights")
    return wrong


def _in_onnxruntime(model, expected, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    outputs = dict(zip(expected, session.run(list(expected), inputs), strict=True))
    return list(_differences("ONNX Runtime", expected, outputs, 1e-3))


def _of_the_shapes(result):
    """What is known of inner values is what inference finds."""
    inferred = infer_shapes(result.graph, result.weights).values
    return [
        f"the shape of {name} is {inferred[name].shape}, and not {value.shape}"
        for name, value in result.graph.values.items()
        if name in inferred and inferred[name].shape != value.shape
    ]


def _of_the_weights(network, result):
    lost = (network.trainable & result.weights.keys()) - result.trainable
    return [f"{name} does not learn any more" for name in sorted(lost)]


def _of_the_sizes(network, removed, result, known):
    """Weights that one node takes lose just the places that their groups name."""
    gone = {}
    for group in known or ():
        for part in group.slices if group.number in removed else ():
            gone.setdefault((part.weight, part.axis), set()).update(part.positions)
    wrong = []
    for (name, axis), places in gone.items():
        before = network.weights[name].shape[axis]
        shared = sum(name in node.inputs for node in network.graph.nodes) > 1
        after = result.weights[name].shape[axis] if name in result.weights else None
        if not shared and after is not None and after != before - len(places):
            wrong.append(f"axis {axis} of {name} has {after} places of {before}")
    return wrong


def stirred(network, random):
    """The network with weights that differ from place to place; statistics stay positive."""
    weights = {}
    for name, array in network.weights.items():
        if array.dtype.kind == "f":
            factor = random.uniform(0.7, 1.3, array.shape)
            spread = 0.02 if name in network.trainable else 0.0
            weights[name] = (array * factor + random.normal(0, spread, array.shape)).astype(
                array.dtype
            )
    return network.changed(weights=weights)
