"""Network, size and recipe from the data, and the reasons for them."""

from dataclasses import asdict

import numpy as np
import pytest

from allotrope.architectures import recipes
from allotrope.architectures.choose import choose
from allotrope.architectures.recipes import FAMILIES, family_for, recipe_of
from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.reading import labelled, labelled_data
from allotrope.errors import UsageError
from allotrope.inputs.image import mirror
from allotrope.inputs.image.statistics import pixel_statistics
from allotrope.network import zoo
from allotrope.network.summary import multiply_adds

UNJUDGED = {"flip": False}
"""Whether images keep their meaning when mirrored is not judged, which takes longest of all."""


def images_of(side, channels, count=60, classes=3):
    random = np.random.default_rng(0)
    split = labelled(
        random.integers(0, 256, (count, side, side, channels), np.uint8), np.arange(count) % classes
    )
    return labelled_data("made", tuple("abc"[:classes]), split, split, split)


@pytest.mark.parametrize(
    ("side", "name"),
    [
        (4, "cnn"),
        (8, "whitened_cnn"),
        (28, "whitened_cnn"),
        (32, "whitened_cnn"),
        (64, "whitened_cnn"),
        (96, "resnet18"),
    ],
)
def test_the_size_of_the_images_decides_the_network(side, name):
    choice = choose(images_of(side, 3))
    assert choice.name == name
    assert any(
        reason.startswith(name) and f"{side} x {side}" in reason for reason in choice.reasons
    )
    out = choice.network.run({"image": np.zeros((2, side, side, 3), np.uint8)})["label"]
    assert out.shape == (2, 3) and np.isfinite(out).all()


@pytest.mark.parametrize("height", [1, 3, 8, 12, 13, 16, 28, 31, 40, 64, 65, 200])
@pytest.mark.parametrize("width", [1, 4, 12, 28, 64, 300])
def test_a_family_is_found_for_every_size(height, width):
    family, reason = family_for(height, width)
    assert family.name in reason and f"{height} x {width}" in reason


@pytest.mark.parametrize("side", [8, 9, 12, 13, 16, 20, 28, 32, 48, 64])
def test_whitened_networks_can_be_built_for_every_small_size(side):
    assert choose(images_of(side, 1), "whitened_cnn").network.inputs[0].shape[1:] == (side, side, 1)


def test_every_network_of_the_zoo_has_a_recipe(digits):
    assert FAMILIES.keys() == zoo.NETWORKS.keys()
    assert all(
        recipe_of(family, (3, 32, 32), 50_000) == family.recipe for family in FAMILIES.values()
    )


def test_small_data_gets_small_batches_and_a_rate_to_match():
    recipe = recipe_of(FAMILIES["whitened_cnn"], (1, 28, 28), 1000)
    assert recipe.batch_size == 64
    assert recipe.learning_rate == pytest.approx(
        FAMILIES["whitened_cnn"].recipe.learning_rate * 64 / 512
    )


def test_overrides_always_win(digits):
    asked = {
        "optimizer": "adam",
        "learning_rate": 0.007,
        "flip": True,
        "batch_size": 50,
        "augmentation": "heavy",
    }
    choice = choose(digits, overrides=asked)
    assert {name: asdict(choice.recipe)[name] for name in asked} == asked
    assert any("Asked for: optimizer = adam" in reason for reason in choice.reasons)


def test_unknown_names_suggest_the_nearest(digits):
    with pytest.raises(UsageError, match=r"unknown network 'resnet21'.*resnet20"):
        choose(digits, "resnet21")
    with pytest.raises(
        UsageError, match=r"unknown recipe option 'learning_rat'. Did you mean 'learning_rate'"
    ):
        choose(digits, overrides={"learning_rat": 1.0})


def test_a_network_that_was_asked_for_is_as_published(digits):
    data = images_of(32, 3)
    choice = choose(data, "resnet20", budget=60.0, speed=lambda network, recipe: 1.0)
    assert choice.name == "resnet20" and choice.reasons[0] == "resnet20 was asked for."
    published = zoo.network("resnet20")(3, (3, 32, 32))
    assert {n: w.shape for n, w in choice.network.weights.items()} == {
        n: w.shape for n, w in published.weights.items()
    }


def test_more_time_or_a_faster_machine_gives_a_wider_network():
    data = images_of(28, 1, count=recipes.FEW)

    def width(budget, images_per_second):
        budget *= recipes.FEW / 600
        choice = choose(
            data,
            overrides=UNJUDGED,
            budget=budget,
            speed=lambda network, recipe: images_per_second * 2e7 / multiply_adds(network),
        )
        return choice.arguments["width"]

    assert (
        width(10, 50)
        < width(100, 50)
        == width(10, 500)
        < width(1e6, 50)
        == max(FAMILIES["whitened_cnn"].widths)
    )
    assert width(0.001, 1) == min(FAMILIES["whitened_cnn"].widths)


def test_what_an_image_costs_beside_its_multiply_adds_is_allowed_for():
    data = images_of(28, 1, count=recipes.FEW)

    def speed(network, recipe):
        return 1 / (1e-3 + 1e-10 * multiply_adds(network))

    choice = choose(data, overrides=UNJUDGED, budget=1000.0, speed=speed)
    seen = 1000.0 / recipes.FEW * speed(choice.network, choice.recipe)
    assert seen >= 10.0 and choice.arguments["width"] == 1.0
    assert any(
        f"Width 1: with it this machine sees each image about {seen:.0f} times" in reason
        for reason in choice.reasons
    )


def test_few_images_get_a_small_network_and_more_augmentation():
    choice = choose(images_of(28, 1, count=600), budget=1e6, speed=lambda network, recipe: 1e6)
    assert choice.arguments["width"] == FAMILIES["whitened_cnn"].usual_width
    assert choice.recipe.augmentation == "medium" and choice.recipe.label_smoothing == 0.1
    assert choose(images_of(8, 1)).recipe.augmentation == "light"


def test_budget_and_epochs_reach_the_recipe(digits):
    limited = choose(digits, budget=33.0).recipe
    assert limited.budget == 33.0 and limited.epochs == FAMILIES["whitened_cnn"].most_epochs
    choice = choose(digits, epochs=4).recipe
    assert (choice.epochs, choice.budget) == (4, None)
    unasked = choose(digits).recipe
    assert (unasked.epochs, unasked.budget) == (39, None)
    many = choose(images_of(12, 1, count=10_001)).recipe
    assert many.epochs is None and many.budget is not None


def test_the_seed_decides_the_weights(digits):
    first, same, other = (choose(digits, seed=seed) for seed in (1, 1, 2))
    names = sorted(first.network.trainable)
    assert all(np.array_equal(first.network.weights[n], same.network.weights[n]) for n in names)
    assert not all(
        np.array_equal(first.network.weights[n], other.network.weights[n]) for n in names
    )
    assert other.recipe.seed == 2


def test_digits_are_not_mirrored(digits):
    choice = choose(digits)
    assert choice.recipe.flip is False
    assert any("not mirrored" in reason for reason in choice.reasons)


def kept_when_mirrored(split, classes):
    return mirror.kept_when_mirrored(split["image"], split["label"], classes)


def striped(count, symmetric):
    """Two classes of noise with a bright bar.

    It is above or below (which mirroring keeps), or left or right (which it swaps).
    """
    random = np.random.default_rng(0)
    images = random.integers(0, 100, (count, 16, 16, 1), np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        part = slice(0, 4) if label else slice(12, 16)
        image[(part, slice(None)) if symmetric else (slice(None), part)] += 100
    return labelled(images, labels)


def test_mirroring_is_judged_on_the_data():
    same, other = (kept_when_mirrored(striped(600, symmetric=each), 2) for each in (True, False))
    assert same.share > 0.9 and same.is_enough and not same.is_too_little
    assert other.share < 0.1 and other.is_too_little and not other.is_enough
    assert kept_when_mirrored(images_of(16, 1).train, 3) is None
    assert kept_when_mirrored(images_of(16, 1, count=1).train, 3) is None


@pytest.mark.shared
@pytest.mark.parametrize("source", ["fashion-mnist", "medical/pneumoniamnist.npz"])
def test_clothes_and_lungs_are_mirrored(shared, source):
    data = read_data(str(shared / "data" / source), DataOptions())
    assert kept_when_mirrored(data.train, len(data.tasks[0].classes)).is_enough


@pytest.mark.shared
def test_objects_are_mirrored(shared):
    with np.load(shared / "data" / "cifar10.npz") as arrays:
        images, labels = arrays["x_test"], arrays["y_test"]
    assert kept_when_mirrored(labelled(images, labels), 10).is_enough
    # Of few labels a classifier learns too little; the images alone show it.
    few = kept_when_mirrored(labelled(images[:200], labels[:200]), 10)
    assert few is None or not few.is_too_little
    assert mirror.told_when_mirrored([images[:3000]]) < mirror.ALIKE


def test_mirrored_ones_are_told_where_images_face_one_way(digits):
    upright = digits.train["image"]
    assert mirror.told_when_mirrored([upright]) > mirror.ALIKE
    turned = [upright[::2], upright[1::2, :, ::-1]]
    assert mirror.told_when_mirrored(turned) < mirror.ALIKE
    assert mirror.told_when_mirrored([upright[:50]]) is None


def test_pixel_statistics_are_those_of_the_images():
    images = np.random.default_rng(0).integers(0, 256, (30, 5, 7, 3), np.uint8)
    mean, std = pixel_statistics(images)
    assert mean == pytest.approx(images.mean((0, 1, 2)))
    assert std == pytest.approx(images.std((0, 1, 2)))
    assert pixel_statistics(np.zeros((4, 2, 2, 1), np.uint8)) == ([0.0], [1.0])


def operators(choice):
    return {node.operator for node in choice.network.graph.nodes}


@pytest.mark.parametrize("name", ["auto", "cnn", "resnet8"])
def test_layers_are_as_was_asked_for(name):
    asked = {"activation": "mish", "normalization": "group", "dropout": 0.25}
    choice = choose(images_of(16, 3), name, asked)
    assert {"Mish", "GroupNormalization", "Dropout"} <= operators(choice)
    assert not {"Relu", "Gelu", "BatchNormalization"} & operators(choice)
    assert choice.recipe.activation == "mish" and choice.arguments["dropout"] == 0.25
