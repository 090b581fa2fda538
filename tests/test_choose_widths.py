"""Which groups go to meet a target: with costs that are made up, so that the choice is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from allotrope.errors import UsageError
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.choose_widths import removed_for
from allotrope.shrinking.group_importance import magnitude
from allotrope.shrinking.groups import groups
from allotrope.shrinking.layer_widths import multiples, narrowable
from allotrope.shrinking.prune import pruned


def dense(*widths):
    """Layers of these widths one after the other, the first and last are the network's ends."""
    b = Builder("dense")
    value = b.input("x", np.float32, ("n", widths[0]))
    for number, (taken, made) in enumerate(itertools.pairwise(widths)):
        weight = b.weight(f"w{number}", np.ones((taken, made), np.float32))
        value = b.add("MatMul", [value, weight], name=f"m{number}")
    b.output(value, "y")
    return b.network()


def every_width(name, width):
    return range(width)


def widths_of(network):
    """How wide the layers in between are."""
    weights = [name for name in sorted(network.weights) if name != "w0"]
    return [network.weights[name].shape[0] for name in weights]


def in_steps(network):
    """Microseconds that grow with each 8 channels begun, so that 17 take what 24 take."""
    return 1e-6 * sum(math.ceil(width / 8) for width in widths_of(network))


def test_of_equal_layers_the_least_important_channels_go():
    network = dense(4, 32, 32, 4)
    known = groups(network)
    importance = np.r_[np.arange(32.0), 1000 + np.arange(32.0)]
    removed, prediction = removed_for(network, known, importance, in_steps, 6e-6)
    assert sorted(removed) == sorted(group.number for group in known.groups[:16])
    assert prediction.seconds == pytest.approx(6e-6)
    assert [(w.name, w.before, w.after) for w in prediction.widths] == [
        ("w0", 32, 16),
        ("w1", 32, 32),
    ]
    assert prediction.bytes is None
    assert prediction.lost == pytest.approx(importance[:16].sum() / importance.sum())


def test_a_costly_layer_is_cut_before_a_cheap_one():
    network = dense(4, 32, 32, 4)
    known = groups(network)
    importance = np.ones(64)

    def second_is_costly(some):
        first, second = widths_of(some)
        return 1e-6 * first + 5e-6 * second

    _, prediction = removed_for(network, known, importance, second_is_costly, 120e-6)
    assert [width.after for width in prediction.widths] == [32, 16]


def test_a_width_that_saves_nothing_is_passed_over():
    """24 takes as long as 32, 16 takes half: nobody stops at 24."""
    network = dense(4, 32, 4)
    known = groups(network)
    times = {32: 2e-6, 24: 2e-6, 16: 1e-6, 8: 0.99e-6}
    seconds = lambda some: times[widths_of(some)[0]]  # noqa: E731
    _, prediction = removed_for(network, known, np.ones(32), seconds, 1.5e-6)
    assert [width.after for width in prediction.widths] == [16]


def test_a_plateau_of_several_layers_is_crossed():
    """Time falls only once all layers are narrow: there is no single step that gains."""
    network = dense(4, 32, 32, 4)
    known = groups(network)
    seconds = lambda some: 1e-6 * max(widths_of(some))  # noqa: E731
    _, prediction = removed_for(network, known, np.ones(64), seconds, 16e-6)
    assert [width.after for width in prediction.widths] == [16, 16]


def test_what_was_not_needed_comes_back():
    """The layer that is cut last saves so much that the one before it need not have been cut."""
    network = dense(4, 16, 16, 4)
    known = groups(network)
    importance = np.r_[np.full(16, 1.0), np.full(16, 9.0)]

    def seconds(some):
        first, second = widths_of(some)
        return 1e-6 * (10 * (second > 8) + 3 * (first > 8) + 1)

    _, prediction = removed_for(network, known, importance, seconds, 5e-6)
    assert [width.after for width in prediction.widths] == [16, 8]


def test_only_the_widths_that_are_named_and_never_a_whole_layer():
    network = dense(4, 24, 24, 4)
    known = groups(network)
    seconds = lambda some: float(sum(widths_of(some)))  # noqa: E731
    _, prediction = removed_for(
        network, known, np.ones(48), seconds, 12.0, widths=lambda name, width: (20, 5, 0, width, 99)
    )
    assert [width.after for width in prediction.widths] == [5, 5]
    _, prediction = removed_for(network, known, np.ones(48), seconds, 2.0, widths=every_width)
    assert [width.after for width in prediction.widths] == [1, 1]


def test_bytes_and_seconds_are_met_together():
    network = zoo.resnet8(10, (3, 32, 32))
    known = groups(network)
    most_seconds, most_bytes = multiply_adds(network) / 2, parameters(network) / 3
    removed, prediction = removed_for(
        network,
        known,
        magnitude(network, known),
        multiply_adds,
        most_seconds,
        bytes_of=parameters,
        target_bytes=most_bytes,
    )
    result = pruned(network, removed, known)
    assert multiply_adds(result) == prediction.seconds <= most_seconds
    assert parameters(result) == prediction.bytes <= most_bytes
    assert prediction.bytes > 0.7 * most_bytes or prediction.seconds > 0.7 * most_seconds


@pytest.mark.parametrize("share", [0.7, 0.3, 0.1])
def test_the_zoo_meets_a_target_and_the_choice_is_always_the_same(share):
    network = zoo.resnet8(10, (3, 32, 32))
    known = groups(network)
    importance = magnitude(network, known)
    most = share * multiply_adds(network)
    first = removed_for(network, known, importance, multiply_adds, most)
    assert first == removed_for(network, groups(network), importance, multiply_adds, most)
    assert 0.9 * most < multiply_adds(pruned(network, first[0], known)) <= most


def test_a_target_that_is_met_costs_nothing():
    network = dense(4, 32, 4)
    removed, prediction = removed_for(network, groups(network), np.ones(32), in_steps, 4e-6)
    assert removed == frozenset()
    assert prediction.lost == 0
    assert prediction.seconds == pytest.approx(4e-6)


def test_channels_without_importance_go_first_and_divide_by_nothing():
    network = dense(4, 32, 4)
    known = groups(network)
    importance = np.r_[np.ones(16), np.zeros(16)]
    removed, prediction = removed_for(network, known, importance, in_steps, 2e-6)
    assert sorted(removed) == sorted(group.number for group in known.groups[16:])
    assert prediction.lost == 0
    assert removed_for(network, known, np.zeros(32), in_steps, 2e-6)[1].lost == 0


def test_a_target_below_the_narrowest_network_says_what_is_possible():
    network = dense(4, 32, 32, 4)
    least = r"cannot be cut so far.* 2e-06 seconds where 1e-06 are asked for"
    with pytest.raises(UsageError, match=least):
        removed_for(network, groups(network), np.ones(64), in_steps, 1e-6)


def test_a_network_of_which_nothing_can_be_cut_says_why():
    network = dense(4, 3)
    with pytest.raises(UsageError, match=r"nothing can be cut.*it is what the network"):
        removed_for(network, groups(network), np.ones(0), lambda some: 1.0, 0.5)


def test_usual_widths_are_multiples():
    assert list(multiples("", 64)) == [56, 48, 40, 32, 24, 16, 8]
    assert list(multiples("", 16)) == [12, 8, 4]
    assert list(multiples("", 17)) == [16, 8]
    assert list(multiples("", 6)) == [4, 2]
    assert list(multiples("", 2)) == [1]
    assert list(multiples("", 1)) == []
    assert list(multiples("", 256)) == list(range(224, 0, -32))
    assert 6 <= len(list(multiples("", 1000))) <= 8


def test_groups_of_several_places_leave_whole_ones():
    """Two channels go together: a width that would part them is not tried."""
    b = Builder("grouped")
    x = b.input("x", np.float32, ("n", 2, 8, 8))
    first = b.add("Conv", [x, b.weight("a", np.ones((12, 2, 1, 1), np.float32))])
    second = b.add("Conv", [first, b.weight("b", np.ones((12, 6, 1, 1), np.float32))], {"group": 2})
    b.output(b.add("Conv", [second, b.weight("c", np.ones((3, 12, 1, 1), np.float32))]), "y")
    network = b.network()
    known = groups(network)
    layers = narrowable(network, known, np.ones(len(known)), every_width)
    assert [layer.widths for layer in layers] == [(10, 8, 6, 4, 2), (10, 8, 6, 4, 2)]
