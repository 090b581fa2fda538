"""Blocks that can be left out: which there are, and what is left is what it should be."""

import numpy as np
import onnxruntime
import pytest

from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.shrinking.removable_blocks import blocks, without

RANDOM = np.random.default_rng(7)
PICTURE = (3, 32, 32)


def network_of(name, **options):
    return zoo.network(name)(4, PICTURE, **options)


def batch_for(network):
    (image,) = network.inputs
    return {image.name: RANDOM.normal(size=(2, *image.shape[1:])).astype(np.float32)}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet8", 1),
        ("resnet20", 7),
        ("mobilenet_v2", 13),
        ("whitened_cnn", 3),
        ("deit_tiny", 24),
        ("convnext_atto", 12),
        ("cnn", 0),
        ("densenet121", 0),
    ],
)
def test_the_blocks_of_known_networks(name, count):
    assert len(blocks(network_of(name))) == count


@pytest.mark.parametrize("name", ["resnet20", "convnext_atto", "shufflenet_v2_x1_0"])
def test_what_is_left_runs_and_has_all_other_weights(name):
    network = network_of(name)
    for block in blocks(network)[::3]:
        rest = without(network, block)
        gone = network.weights.keys() - rest.weights.keys()
        assert block.weights == {each for each in gone if network.weights[each].ndim > 1}
        assert all(
            np.array_equal(rest.weights[each], network.weights[each]) for each in rest.weights
        )
        assert rest.trainable == network.trainable - gone
        session = onnxruntime.InferenceSession(rest.to_onnx().SerializeToString())
        inputs = batch_for(rest)
        (expected,) = session.run(None, inputs)
        (answers,) = rest.run(inputs).values()
        np.testing.assert_allclose(answers, expected, atol=1e-4)


@pytest.mark.parametrize("number", [0, 3, 6])
def test_a_residual_block_left_out_is_one_that_adds_nothing(number):
    network = network_of("resnet20")
    block = blocks(network)[number]
    branch = block.end.removesuffix(".add.relu")
    silent = {
        f"{branch}.bn2.{kind}": np.zeros_like(network.weights[f"{branch}.bn2.{kind}"])
        for kind in ("weight", "bias")
    }
    inputs = batch_for(network)
    (expected,) = network.with_weights(silent).run(inputs).values()
    (answers,) = without(network, block).run(inputs).values()
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_blocks_go_one_after_the_other():
    network = network_of("resnet20")
    counts = []
    while known := blocks(network):
        counts.append(len(known))
        network = without(network, known[-1])
    assert counts == [7, 6, 5, 4, 3, 2, 1]
    assert network.run(batch_for(network))


def weight(b, name, *shape):
    return b.weight(name, RANDOM.normal(size=shape).astype(np.float32), trainable=True)


def layer(b, x, kernel):
    return b.add("Relu", [b.add("Conv", [x, kernel], {"pads": (1, 1, 1, 1)})])


def chain(passing_by=False, shared=False, trainable=True):
    """Three layers of one shape; the first is added behind the last if it passes by."""
    b = Builder()
    x = b.input("x", "float32", ("n", 4, 5, 5))
    first = layer(b, x, weight(b, "first", 4, 4, 3, 3))
    kernel = RANDOM.normal(size=(4, 4, 3, 3)).astype(np.float32)
    middle = b.weight("middle", kernel, trainable=trainable)
    last = layer(b, layer(b, first, middle), middle if shared else weight(b, "last", 4, 4, 3, 3))
    if passing_by:
        last = b.add("Mul", [last, first])
    b.output(b.add("GlobalAveragePool", [last]), "y")
    return b.network()


def test_what_something_passes_by_is_no_block():
    assert [block.weights for block in blocks(chain())] == [{"middle"}, {"last"}]
    assert blocks(chain(passing_by=True)) == []


def test_what_does_not_learn_is_no_block():
    assert [block.weights for block in blocks(chain(trainable=False))] == [{"last"}]


def test_a_weight_that_others_take_too_stays():
    network = chain(shared=True)
    rest = without(network, blocks(network)[0])
    assert rest.weights.keys() == {"first", "middle"}
    assert len(blocks(rest)) == 1


def test_an_output_of_the_network_is_no_end():
    b = Builder()
    x = b.input("x", "float32", ("n", 4, 5, 5))
    first = layer(b, x, weight(b, "first", 4, 4, 3, 3))
    second = layer(b, first, weight(b, "second", 4, 4, 3, 3))
    b.output(second, "y")
    assert blocks(b.network()) == []
