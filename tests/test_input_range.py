"""Which values a network takes is found by trying.

It is right if something shows it, and asked for if nothing does.
"""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

import allotrope
from allotrope.data.reading import labelled, labelled_data
from allotrope.errors import UsageError
from allotrope.inputs.image.pretrained.front import sensible
from allotrope.inputs.image.pretrained.readings import PLAIN, PixelReading, readings
from allotrope.inputs.image.pretrained.trial import Trial
from allotrope.inputs.image.pretrained.weighing import weigh
from onnx_models import model, node, tensor
from tuned import F, ready

SIDE, CLASSES = 12, 3
RAW, UNIT, SIGNED = PLAIN


def pictures(count=384, channels=3, seed=0, clear=160):
    """Images that are the easier to tell apart the clearer.

    As light and as strong in contrast as usual photographs.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    patterns = random.random((CLASSES, SIDE, SIDE, channels))
    noise = random.random((count, SIDE, SIDE, channels))
    values = patterns[labels] * clear + noise * (220 - clear * 0.3) + 18 - clear * 0.35
    split = labelled(values.clip(0, 255).astype(np.uint8), labels)
    return labelled_data("toy", ("a", "b", "c"), split, split, split)


FILTERS = (np.random.default_rng(3).standard_normal((8, 3, 5, 5)) * 0.3).astype(F)


def features(x, filters=FILTERS):
    """What a 5x5 convolution with a stride of 4 and a Relu make of x [n, c, h, w].

    A row an image, and before the Relu.
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(2, 3))[:, :, ::4, ::4]
    before = np.einsum("ncyxhw,ochw->noyx", windows, filters, optimize=True)
    return np.maximum(before, 0).reshape(len(x), -1), before


LAYERS = [
    node("Conv", "x w", "c", strides=[4, 4]),
    node("Relu", "c", "r"),
    node("Flatten", "r", "f"),
    node("Gemm", "f v b", "y"),
]


def trained(reading, data, filters=FILTERS):
    """A network whose last layer is fitted to the data as it looks under the reading."""
    train = data.train
    rows, _ = features(reading.values(train["image"]).transpose(0, 3, 1, 2), filters)
    rows = np.c_[rows, np.ones(len(rows))].astype(np.float64)
    target = np.eye(CLASSES)[train["label"]] * 8 - 4
    scale = 1e-3 * np.trace(rows.T @ rows) / len(rows.T)
    head = np.linalg.solve(rows.T @ rows + scale * np.eye(len(rows.T)), rows.T @ target)
    arrays = {"w": filters, "v": head[:-1].astype(F), "b": head[-1].astype(F)}
    return model(LAYERS, [tensor("x", shape=["n", 3, SIDE, SIDE])], arrays=arrays)


def seen(tuned):
    """What reaches the network of a black and of a white image.

    Channel by channel, in the order of the pixels.
    """
    graph = tuned.network.graph
    scale, offset = (graph.constants[f"pixels.{name}"] for name in ("scale", "offset"))
    order = graph.constants.get("pixels.order", np.arange(len(scale)))
    return np.stack([-offset, 255 * scale - offset])[:, order]


DATA = pictures()
READINGS = readings(DATA.train["image"], 3, None)


HARD = pictures(clear=60)
"""Of which a right reading tells four fifths, and a wrong one less."""


def right(network, data):
    (answers,) = network.run({network.inputs[0].name: data.train["image"]}).values()
    return float((answers.argmax(1) == data.train["label"]).mean())


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_a_network_for_these_classes_answers_as_under_the_reading_that_it_was_trained_with(reading):
    source = trained(reading, HARD)
    asked = {"mean": reading.mean, "std": reading.std}
    asked["channel_order"] = "bgr" if reading.reverse else "rgb"
    best, tuned = ready(source, HARD, **asked), ready(source, HARD)
    assert right(best.network, HARD) > 0.7
    assert right(tuned.network, HARD) > right(best.network, HARD) - 0.02
    (said,) = [note for note in tuned.notes if "Pixels are given" in note]
    assert "--mean and --std" in said
    assert "it answers" in said
    assert reading.range in said or "mean and deviation" in said


def test_of_readings_that_answer_alike_the_one_with_the_smallest_values_is_taken():
    """On images that are easy a network is as right about raw pixels as about its own.

    Its own are from 0 to 1.
    """
    (unit,) = [r for r in READINGS if r.range == UNIT and not r.reverse]
    easy = pictures(clear=240)
    tuned = ready(trained(unit, easy), easy)
    np.testing.assert_allclose(seen(tuned), [[0, 0, 0], [1, 1, 1]], atol=1e-6)
    assert any("No reading won clearly" in note and RAW in note for note in tuned.notes)


def test_what_was_asked_for_is_not_tried():
    asked = {"mean": (1.0, 2.0, 3.0), "std": (4.0,), "channel_order": "bgr"}
    tuned = ready(trained(READINGS[0], DATA), DATA, **asked)
    np.testing.assert_allclose(seen(tuned)[0], [-0.75, -0.5, -0.25])
    assert any(
        "as was asked for: --mean 1,2,3 --std 4 --channel-order bgr" in n for n in tuned.notes
    )


def test_an_order_that_was_asked_for_leaves_the_range_to_be_tried():
    (bgr,) = [r for r in READINGS if r.range == UNIT and r.reverse]
    tuned = ready(trained(bgr, DATA), DATA, channel_order="bgr")
    np.testing.assert_allclose(seen(tuned), [[0, 0, 0], [1, 1, 1]], atol=1e-6)


# --- arithmetic in front

FRONTS = {
    "rescaled to 1": ([node("Mul", "x s", "p")], {"s": 1 / 255}, RAW),
    "rescaled to -1 and 1": (
        [node("Mul", "x s", "q"), node("Add", "q o", "p")],
        {"s": 1 / 127.5, "o": -1.0},
        RAW,
    ),
    "divided": ([node("Div", "x s", "p")], {"s": 255.0}, RAW),
    "less a mean": ([node("Sub", "x s", "p")], {"s": [103.9, 116.8, 123.7]}, RAW),
    "normalized": (
        [node("Sub", "x s", "q"), node("Div", "q o", "p")],
        {"s": [0.485, 0.456, 0.406], "o": [0.229, 0.224, 0.225]},
        UNIT,
    ),
    "rescaled, then normalized": (
        [node("Mul", "x a", "z"), node("Sub", "z s", "q"), node("Div", "q o", "p")],
        {"a": 1 / 255, "s": [0.485, 0.456, 0.406], "o": [0.229, 0.224, 0.225]},
        RAW,
    ),
    "centred": ([node("Sub", "x s", "p")], {"s": 0.5}, UNIT),
    "doubled": ([node("Mul", "x s", "q"), node("Sub", "q o", "p")], {"s": 2.0, "o": 1.0}, UNIT),
    "brought to 1": (
        [node("Add", "x o", "q"), node("Mul", "q s", "p")],
        {"s": 0.5, "o": 1.0},
        SIGNED,
    ),
    "undone": ([node("Mul", "x s", "p")], {"s": 255.0}, UNIT),
}


@pytest.mark.parametrize("case", FRONTS)
def test_arithmetic_in_front_says_it_whatever_the_weights(case):
    nodes, arrays, expected = FRONTS[case]
    shaped = {name: np.array(value, F).reshape(-1, 1, 1) for name, value in arrays.items()}
    layers = [*nodes, node("Conv", "p w", "c", strides=[4, 4]), *LAYERS[1:]]
    head = {"w": FILTERS, "v": np.ones((32, CLASSES), F), "b": np.zeros(CLASSES, F)}
    inputs = [tensor("x", shape=["n", 3, SIDE, SIDE])]
    tuned = ready(model(layers, inputs, arrays={**head, **shaped}), DATA)
    assert any(f"as {expected}: it prepares its input itself" in note for note in tuned.notes)
    mean, std = PLAIN[expected]
    np.testing.assert_allclose(seen(tuned)[:, 0], [-mean / std, (255 - mean) / std], atol=1e-5)


def test_arithmetic_that_makes_no_sense_of_any_range_says_nothing():
    layers = [node("Mul", "x s", "p"), node("Conv", "p w", "c", strides=[4, 4]), *LAYERS[1:]]
    arrays = {"s": np.array(17.0, F), "w": FILTERS, "v": np.ones((32, 3), F), "b": np.ones(3, F)}
    network = allotrope.load(
        model(layers, [tensor("x", shape=["n", 3, SIDE, SIDE])], arrays=arrays)
    )
    assert sensible(network, READINGS, (SIDE, SIDE, 3), "nchw") == READINGS


# --- other classes


def normalized(reading, data):
    """A network of other classes whose BatchNormalization knows the data under the reading."""
    _, before = features(reading.values(data.train["image"]).transpose(0, 3, 1, 2))
    arrays = {
        "g": np.ones(8, F),
        "h": np.zeros(8, F),
        "m": before.mean((0, 2, 3)),
        "q": before.var((0, 2, 3)),
    }
    layers = [
        LAYERS[0],
        node("BatchNormalization", "c g h m q", "n"),
        node("Relu", "n", "r"),
        *LAYERS[2:],
    ]
    head = {
        "w": FILTERS,
        "v": np.random.default_rng(0).standard_normal((32, 7)).astype(F),
        "b": np.zeros(7, F),
    }
    inputs = [tensor("x", shape=["n", 3, SIDE, SIDE])]
    return model(
        layers, inputs, arrays={**head, **{name: a.astype(F) for name, a in arrays.items()}}
    )


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_the_statistics_of_normalizations_say_it_for_other_classes(reading):
    tuned = ready(normalized(reading, DATA), DATA, new_head=True)
    white = np.full((1, 1, 1, 3), 255, np.uint8)
    expected = reading.values(white)[0, 0, 0]
    assert np.abs(seen(tuned)[1] - expected).max() < 0.4 * np.abs(expected).max()
    (said,) = [note for note in tuned.notes if "Pixels are given" in note]
    assert "from their statistics, against" in said


def untrained(filters):
    head = {"v": np.random.default_rng(0).standard_normal((32, 7)).astype(F), "b": np.zeros(7, F)}
    return model(LAYERS, [tensor("x", shape=["n", 3, SIDE, SIDE])], arrays={"w": filters, **head})


def test_what_nothing_shows_is_said_with_the_options_that_say_it():
    tuned = ready(untrained(FILTERS), DATA, new_head=True)
    (said,) = [note for note in tuned.notes if "Pixels are given" in note]
    assert "by the data's own mean and deviation, for nothing shows" in said
    assert "--mean and --std" in said


def test_filters_that_learned_from_pictures_are_not_given_what_may_be_wrong():
    y, x = np.mgrid[-1:1:5j, -1:1:5j]
    waves = [np.sin(2 * (x * np.cos(a) + y * np.sin(a)) + a) for a in np.linspace(0, 3, 8)]
    smooth = np.repeat(np.stack(waves)[:, None], 3, axis=1).astype(F)
    with pytest.raises(UsageError) as caught:
        ready(untrained(smooth), DATA, new_head=True)
    for said in (
        "cannot be told",
        "--mean 0 --std 255   values from 0 to 1",
        "--mean 127.5 --std 127.5",
    ):
        assert said in str(caught.value)


# --- the weighing itself


def trial(reading, answers=None, distance=None, labels=DATA.train["label"]):
    logits = np.eye(CLASSES)[labels if answers is None else answers] * 5
    return Trial(reading, logits, () if distance is None else (distance,))


def left(trials, images=DATA.train["image"], same=True):
    return [t.reading.name for t in weigh(trials, images, DATA.train["label"], same).left]


def mistaken(share):
    """The labels with so large a part of them wrong."""
    labels = DATA.train["label"].copy()
    wrong = np.random.default_rng(1).random(len(labels)) < share
    labels[wrong] = (labels[wrong] + 1) % CLASSES
    return labels


RAW_RGB, UNIT_RGB = (next(r for r in READINGS if r.range == name) for name in (RAW, UNIT))


@pytest.mark.parametrize(("share", "stays"), [(0.5, False), (0.2, False), (0.02, True)])
def test_a_reading_that_answers_worse_is_out_and_one_that_hardly_does_stays(share, stays):
    readings = left([trial(RAW_RGB), trial(UNIT_RGB, mistaken(share))])
    assert readings == [RAW_RGB.name, *[UNIT_RGB.name] * stays]


@pytest.mark.parametrize(("distance", "stays"), [(0.5, False), (0.02, False), (0.0105, True)])
def test_statistics_that_are_missed_rule_a_reading_out(distance, stays):
    readings = left([trial(RAW_RGB, distance=0.01), trial(UNIT_RGB, distance=distance)], same=False)
    assert readings == [RAW_RGB.name, *[UNIT_RGB.name] * stays]


def test_on_pictures_unlike_photographs_statistics_do_not_tell_ranges_apart_that_differ_by_less():
    (signed,) = [r for r in READINGS if r.range == SIGNED and not r.reverse]
    dark = (DATA.train["image"] * 0.3).astype(np.uint8)
    trials = [trial(signed, distance=0.01), trial(UNIT_RGB, distance=0.2)]
    assert left(trials, dark, same=False) == [signed.name, UNIT_RGB.name]
    assert left(trials, DATA.train["image"], same=False) == [signed.name]


def test_numbers_that_are_none_rule_a_reading_out():
    broken = Trial(RAW_RGB, np.full((len(DATA.train), CLASSES), np.nan), ())
    assert left([broken, trial(UNIT_RGB)]) == [UNIT_RGB.name]


def test_grey_images_have_one_order():
    grey = pictures(channels=1)
    assert not any(reading.reverse for reading in readings(grey.train["image"], 1, None))


# --- whole numbers


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.INT32])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_numbers_are_given_raw_pixels_in_every_layout(dtype, layout, channels):
    shape = ["n", 3, SIDE, SIDE] if layout == "nchw" else ["n", SIDE, SIDE, 3]
    moved = [node("Transpose", "p", "t", perm=[0, 3, 1, 2])] if layout == "nhwc" else []
    first = node("Conv", "t w" if moved else "p w", "c", strides=[4, 4])
    layers = [node("Cast", "x", "p", to=1), *moved, first, *LAYERS[1:]]
    random = np.random.default_rng(0)
    arrays = {"w": FILTERS, "v": random.standard_normal((32, 3)).astype(F), "b": np.zeros(3, F)}
    data = pictures(channels=channels)
    tuned = ready(model(layers, [tensor("x", dtype, shape)], arrays=arrays), data)
    images = data.test["image"][:4]
    rows, _ = features(np.broadcast_to(images, (4, SIDE, SIDE, 3)).transpose(0, 3, 1, 2).astype(F))
    answers = tuned.network.run({tuned.network.inputs[0].name: images})["label"]
    np.testing.assert_allclose(answers, rows @ arrays["v"], rtol=1e-4, atol=1e-2)
    assert any("raw pixels from 0 to 255, in RGB" in note for note in tuned.notes)
    with pytest.raises(UsageError, match="--mean and --std are for a network that takes float32"):
        ready(
            model(layers, [tensor("x", dtype, shape)], arrays=arrays), data, mean=(0.0,), std=(1.0,)
        )


def test_a_reading_says_what_asks_for_it():
    assert PixelReading("x", (0.0, 0.0), (255.0, 255.0)).asked_for == "--mean 0 --std 255"
    bgr = next(r for r in READINGS if r.range.startswith("ImageNet") and r.reverse)
    assert bgr.asked_for == "--mean 103.5,116.3,123.7 --std 57.38,57.12,58.4 --channel-order bgr"
