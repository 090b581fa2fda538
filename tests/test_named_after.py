"""A network is named after columns.

What has one of the names already gives way, and it computes the same.
"""

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.rewriting.named_after import named_after

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def made():
    """A weight and a value inside have names of columns."""
    b = Builder()
    scaled = b.add(
        "Mul",
        [b.input("x", "float32", ("n", 2)), b.weight("label", np.array([2, 3], np.float32))],
        name="image",
    )
    b.output(b.add("Neg", [scaled]), "y")
    return b.network()


def test_inputs_and_outputs_have_the_names_of_columns():
    network = named_after(made(), ["image"], ["label"])
    assert [value.name for value in (*network.inputs, *network.outputs)] == ["image", "label"]
    np.testing.assert_array_equal(network.run({"image": X})["label"], made().run({"x": X})["y"])
    (weight,) = network.trainable
    np.testing.assert_array_equal(network.weights[weight], [2, 3])


def test_weights_keep_their_names_and_names_that_fit_stay():
    b = Builder()
    b.output(
        b.add(
            "Mul", [b.input("image", "float32", ("n", 2)), b.weight("w", np.ones(2, np.float32))]
        ),
        "z",
    )
    network = named_after(b.network(), ["image"], ["label"])
    assert network.trainable == {"w"} and named_after(network, ["image"], ["label"]) is network


def test_names_can_change_places():
    b = Builder()
    x, y = (b.input(name, "float32", ("n",)) for name in ("a", "b"))
    b.output(b.add("Sub", [x, y]), "c")
    swapped = named_after(b.network(), ["b", "a"], ["c"])
    one, two = np.ones(3, np.float32), np.zeros(3, np.float32)
    np.testing.assert_array_equal(swapped.run({"b": one, "a": two})["c"], one)
