"""TensorFlow's trainer stores weights as its kernels take them.

What it gives and takes has the network's names, shapes and order.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import TrainingError
from allotrope.frameworks import missing
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.kernels import convolution_weights, dense_weights
from allotrope.network.build import Builder
from allotrope.tasks.probabilities import softmax
from planned import planned

if missing("tensorflow") is not None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

from allotrope.frameworks.tensorflow.framework import FRAMEWORK

RANDOM = np.random.default_rng(5)
IMAGES = RANDOM.normal(size=(6, 4, 7, 7)).astype(np.float32)
TARGET = np.eye(3, dtype=np.float32)[RANDOM.integers(0, 3, 6)]
RATE = 0.5


def weight(b, name, *shape):
    values = RANDOM.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return b.weight(name, values.astype(np.float32), trainable=True)


def network():
    """Convolutions of each kind, dense layers over flattened features, over others and tokens.

    And weights read in two ways.
    """
    b = Builder()
    x = b.input("x", "float32", ("n", 4, 7, 7))
    x = b.add(
        "Conv",
        [x, weight(b, "whole", 6, 4, 3, 3), weight(b, "bias", 6)],
        {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)},
    )
    x = b.add("Conv", [x, weight(b, "grouped", 8, 3, 3, 3)], {"kernel_shape": (3, 3), "group": 2})
    x = b.add(
        "Conv",
        [x, weight(b, "depthwise", 16, 1, 3, 3)],
        {"group": 8, "strides": (2, 2), "pads": (1, 1, 1, 1)},
    )
    x = b.add("Conv", [x, weight(b, "pointwise", 5, 16, 1, 1)], {"kernel_shape": (1, 1)})
    x = b.add(
        "Conv", [x, b.add("Tanh", [weight(b, "changed", 5, 5, 1, 1)])], {"kernel_shape": (1, 1)}
    )
    x = b.add(
        "Flatten", [b.add("Clip", [x, b.constant(np.float32(-1)), b.constant(np.float32(1))])]
    )
    x = b.add("Gemm", [x, weight(b, "flat", 45, 45), weight(b, "flat.bias", 45)], {"transB": 1})
    x = b.add(
        "Add",
        [
            x,
            b.add(
                "Gemm",
                [b.add("Tanh", [x]), weight(b, "scaled", 45, 45)],
                {"transB": 1, "alpha": 0.5},
            ),
        ],
    )
    tied = weight(b, "tied", 45, 45)
    x = b.add("Gemm", [b.add("Gemm", [x, tied], {"transB": 1}), tied])
    x = b.add("Reshape", [x, b.constant(np.array([0, 5, 9]))])
    x = b.add("MatMul", [x, b.add("Transpose", [weight(b, "turned", 9, 9)], {"perm": (1, 0)})])
    shown = b.add("Transpose", [weight(b, "shown", 9, 9)], {"perm": (1, 0)})
    x = b.add("Add", [b.add("MatMul", [x, shown]), b.add("ReduceMean", [shown], {"keepdims": 0})])
    features = b.add(
        "Flatten", [b.add("Tanh", [b.add("Reshape", [x, b.constant(np.array([0, 5, 3, 3]))])])]
    )
    b.output(b.add("Gemm", [features, weight(b, "last", 3, 45)], {"transB": 1}), "logits")
    return b.network()


NETWORK = network()


def trained(**options):
    plan = planned(
        NETWORK, Recipe(optimizer="momentum", momentum=0.9, weight_decay=0.0, **options), np.ones(3)
    )
    return FRAMEWORK.trainer(NETWORK, plan, Settings())


def test_which_weights_are_kernels():
    assert convolution_weights(NETWORK, NETWORK.graph) == {
        "whole",
        "grouped",
        "depthwise",
        "pointwise",
    }
    assert dense_weights(NETWORK, NETWORK.graph) == {
        "flat": (45, 5, 3, 3),
        "last": (3, 5, 3, 3),
        "scaled": (45, 45, 1, 1),
        "tied": (45, 45, 1, 1),
        "turned": (9, 9, 1, 1),
    }


def test_a_step_is_that_of_the_network():
    trainer = trained(average=0.5)
    stored = {name: tuple(variable.shape) for name, variable in trainer.model.weights.items()}
    assert stored["whole"] == (3, 3, 4, 6)
    assert stored["flat"] == (3, 3, 5, 45)
    assert stored["turned"] == (1, 1, 9, 9)
    assert stored["changed"] == (5, 5, 1, 1)
    logits = NETWORK.run({"x": IMAGES})["logits"]
    np.testing.assert_allclose(
        trainer.evaluate({"x": IMAGES})["logits"], logits, rtol=1e-4, atol=1e-5
    )
    slopes = NETWORK.gradients(
        {"x": IMAGES}, {"logits": ((softmax(logits) - TARGET) / 6).astype(np.float32)}, "tensorflow"
    )
    trainer.step(Batch({"x": IMAGES}, {"logits": TARGET}), RATE, 1)
    state = trainer.state()
    for name, before in NETWORK.weights.items():
        after = before - RATE * slopes[name]
        average = before + max(1 - 2 / 11, 0.5) * (after - before)
        for kind, expected in (
            ("weights", after),
            ("optimizer/velocity", slopes[name]),
            ("average", average),
        ):
            np.testing.assert_allclose(
                state[f"{kind}/{name}"], expected, rtol=1e-3, atol=1e-5, err_msg=f"{kind} {name}"
            )
        assert trainer.weights()[name] == pytest.approx(average, rel=1e-3, abs=1e-5)


def test_a_state_goes_on_where_it_was_saved():
    first, second = trained(average=0.5), trained(average=0.5)
    first.step(Batch({"x": IMAGES}, {"logits": TARGET}), RATE, 1)
    second.load_state(first.state())
    for trainer in (first, second):
        trainer.step(Batch({"x": IMAGES}, {"logits": TARGET}), RATE, 2)
    other = second.state()
    for name, value in first.state().items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_a_state_in_the_order_of_kernels_is_refused():
    trainer = trained()
    state = trainer.state()
    with pytest.raises(TrainingError, match="weights/whole"):
        trainer.load_state(state | {"weights/whole": state["weights/whole"].transpose(2, 3, 1, 0)})


def test_bfloat16_takes_them_too():
    plan = planned(NETWORK, Recipe(optimizer="sgd", weight_decay=0.0), np.ones(3))
    trainer = FRAMEWORK.trainer(NETWORK, plan, Settings(precision="bfloat16"))
    expected = NETWORK.run({"x": IMAGES})["logits"]
    np.testing.assert_allclose(
        trainer.evaluate({"x": IMAGES})["logits"], expected, atol=0.05 * np.abs(expected).max()
    )
    assert np.isfinite(float(trainer.step(Batch({"x": IMAGES}, {"logits": TARGET}), 0.01, 1)))


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (1, 1, 0, 0), (0, 0, 1, 1), (2, 0, 0, 3)])
@pytest.mark.parametrize(("stride", "length"), [(1, 8), (2, 8), (2, 9), (3, 8), (3, 9)])
@pytest.mark.parametrize("group", [1, 4])
def test_pads_are_what_they_are(pads, stride, length, group):
    b = Builder()
    x = b.input("x", "float32", (2, 4, length, length))
    options = {"kernel_shape": (3, 3), "pads": pads, "strides": (stride, stride), "group": group}
    b.output(b.add("Conv", [x, weight(b, "w", 4, 4 // group, 3, 3)], options), "y")
    built, image = b.network(), RANDOM.normal(size=(2, 4, length, length)).astype(np.float32)
    expected = built.run({"x": image})["y"]
    np.testing.assert_allclose(
        built.run({"x": image}, "tensorflow")["y"], expected, rtol=1e-4, atol=1e-5
    )
    output = RANDOM.normal(size=expected.shape).astype(np.float32)
    gradients = built.gradients({"x": image}, {"y": output}, "tensorflow")
    by_image = float((gradients["x"].astype(np.float64) * image).sum())
    assert by_image == pytest.approx(
        float((expected.astype(np.float64) * output).sum()), rel=1e-3, abs=1e-3
    )
    by_weight = float((gradients["w"].astype(np.float64) * built.weights["w"]).sum())
    assert by_weight == pytest.approx(by_image, rel=1e-3, abs=1e-3)


def test_depthwise_convolutions_with_a_bias_in_a_graph():
    """TensorFlow joins the two and ends the process if the kernel has pads.

    Several, so that their gradients are added.
    """
    b = Builder()
    x = b.add("Mul", [b.input("x", "float32", ("n", 4, 8, 9)), weight(b, "scale", 1, 4, 1, 1)])
    rows = []
    for index, pads in enumerate(
        [(1, 1, 1, 1), (1, 1, 0, 0), (0, 0, 1, 1), (2, 0, 0, 3), (0, 0, 0, 0)]
    ):
        for stride in ((1, 1), (2, 2), (3, 3), (2, 1), (4, 4)):
            name = f"{index}.{stride}"
            inputs = [x, weight(b, f"{name}.weight", 4, 1, 3, 3), weight(b, f"{name}.bias", 4)]
            y = b.add("Conv", inputs, {"group": 4, "strides": stride, "pads": pads})
            rows.append(
                b.add(
                    "ReduceMean",
                    [b.add("Relu", [y]), b.constant(np.array([2, 3]))],
                    {"keepdims": 0},
                )
            )
    features = b.add("Concat", rows, {"axis": 1})
    b.output(
        b.add("Gemm", [features, weight(b, "last", 3, 4 * len(rows))], {"transB": 1}), "logits"
    )
    built, images = b.network(), RANDOM.normal(size=(6, 4, 8, 9)).astype(np.float32)
    plan = planned(built, Recipe(optimizer="sgd", weight_decay=0.0), np.ones(3))
    trainer = FRAMEWORK.trainer(built, plan, Settings())
    logits = built.run({"x": images})["logits"]
    np.testing.assert_allclose(
        trainer.evaluate({"x": images})["logits"], logits, rtol=1e-4, atol=1e-5
    )
    trainer.step(Batch({"x": images}, {"logits": TARGET}), RATE, 1)
    slopes = built.gradients(
        {"x": images}, {"logits": ((softmax(logits) - TARGET) / 6).astype(np.float32)}, "tensorflow"
    )
    for name, before in built.weights.items():
        np.testing.assert_allclose(
            trainer.weights()[name],
            before - RATE * slopes[name],
            rtol=1e-3,
            atol=1e-5,
            err_msg=name,
        )


def test_a_product_with_a_sum_of_rows_for_its_bias_in_a_graph():
    """TensorFlow joins the two, by a kernel that takes no row [1, m]."""
    b = Builder()
    x = b.add("Flatten", [b.input("x", "float32", ("n", 4, 7, 7))])
    row = b.add("Add", [weight(b, "one", 1, 3), weight(b, "other", 1, 3)])
    b.output(b.add("Gemm", [x, weight(b, "w", 196, 3), row], {"alpha": 0.5}), "logits")
    built = b.network()
    trainer = FRAMEWORK.trainer(
        built, planned(built, Recipe(optimizer="sgd", weight_decay=0.0), np.ones(3)), Settings()
    )
    assert np.isfinite(float(trainer.step(Batch({"x": IMAGES}, {"logits": TARGET}), 0.0, 1)))
    np.testing.assert_allclose(
        trainer.evaluate({"x": IMAGES})["logits"],
        built.run({"x": IMAGES})["logits"],
        rtol=1e-4,
        atol=1e-5,
    )


ONE_PLACE = """if True:
    import sys
    # TensorFlow imports these where they are installed, for seconds and without use here.
    sys.modules.update(dict.fromkeys(("jax", "pandas", "scipy", "sklearn")))
    import numpy as np
    from allotrope.config import Recipe, Settings
    from allotrope.frameworks.contract import Batch
    from allotrope.frameworks.tensorflow.framework import FRAMEWORK
    from allotrope.network.build import Builder
    from planned import planned

    x = np.random.default_rng(0).normal(size=(4, 3, 64, 64)).astype(np.float32)
    for group, stride, pad in ((1, 2, 0), (1, 2, 1), (1, 3, 0), (3, 2, 0)):
        b = Builder()
        image = b.input("x", "float32", ("n", 3, 64, 64))
        weight = b.weight("w", np.ones((9, 3 // group, 1, 1), np.float32))
        how = {"strides": (stride,) * 2, "pads": (pad,) * 4, "group": group}
        y = b.add("Conv", [image, weight], how)
        b.output(b.add("Flatten", [b.add("GlobalAveragePool", [y])]), "logits")
        network = b.network()
        recipe = Recipe(optimizer="sgd", weight_decay=0.0)
        trainer = FRAMEWORK.trainer(network, planned(network, recipe, np.ones(9)), Settings())
        targets = np.eye(9, dtype=np.float32)[:4]
        for step in range(1, 21):
            loss = float(trainer.step(Batch({"x": x}, {"logits": targets}), 0.1, step))
        assert np.isfinite(loss)
"""


def test_convolutions_of_one_place_that_pass_over_others_do_not_end_the_process():
    """TensorFlow's own gradient of them writes beyond its memory if there are few channels."""
    command = [sys.executable, "-c", ONE_PLACE]
    done = subprocess.run(command, cwd=Path(__file__).parent, check=False, timeout=120)
    assert done.returncode == 0
