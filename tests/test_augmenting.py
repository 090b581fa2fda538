"""What augmentation the inputs bear: tables alone, a table before a picture, two pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.architectures.augmenting import check_augmentation, mirroring, what_acts
from allotrope.architectures.choose import choose
from allotrope.config import Recipe
from allotrope.data import Batches
from allotrope.data.examples import SPLITS, Data, Examples
from allotrope.errors import UsageError
from allotrope.inputs.image.image import Image
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.raw_bytes import rows_of
from allotrope.inputs.text.text_input import Text
from allotrope.network.rewriting.blending import OTHER, SHARE
from allotrope.tasks import Classification, Regression

COUNT = 600
LABELS = np.arange(COUNT) % 2


def striped(symmetric):
    """Noise with a bright bar: above or below, which mirroring keeps, or left or right."""
    images = np.random.default_rng(0).integers(0, 100, (COUNT, 16, 16, 1), np.uint8)
    for image, label in zip(images, LABELS, strict=True):
        part = slice(0, 4) if label else slice(12, 16)
        image[(part, slice(None)) if symmetric else (slice(None), part)] += 100
    return images


NOISE = np.random.default_rng(1).integers(0, 100, (COUNT, 16, 16, 1), np.uint8)
COLUMNS = {
    "above": striped(symmetric=True),
    "beside": striped(symmetric=False),
    "noise": NOISE,
    # Brighter to the right in every image, whatever its label.
    "leaning": NOISE + np.linspace(0, 100, 16).astype(np.uint8)[:, None],
    "row": np.stack([LABELS, -LABELS], 1).astype(np.float32),
    "label": LABELS,
}


def data_of(*names):
    """Examples with these inputs, in this order."""
    inputs = []
    for name in names:
        if name == "row":
            inputs.append(Table(name="row", columns=("a", "b")).fitted(COLUMNS["row"]))
        else:
            inputs.append(Image.of(name, COLUMNS[name]).fitted(COLUMNS[name]))
    task = Classification(name="label", classes=("a", "b"))
    return Data("made", tuple(inputs), (task,), dict.fromkeys(SPLITS, Examples(COLUMNS)))


def test_a_mosaic_needs_pictures_and_nothing_that_only_two_can_be_blended_of():
    row, picture = data_of("row").inputs, data_of("above").inputs
    check_augmentation(row, {"cutmix": 1.0})
    check_augmentation((*picture, *row), {"mosaic": 0.3})
    with pytest.raises(UsageError, match="mosaic makes a picture of parts of four"):
        check_augmentation(row, {"mosaic": 0.3})
    with pytest.raises(UsageError, match=r"of 'text' \(text\) only two can be blended"):
        check_augmentation((*picture, Text(name="text", longest=9)), {"mosaic": 0.3})


@pytest.mark.parametrize(
    ("names", "may", "said"),
    [
        (["row"], False, []),
        (["above"], True, ["Images are mirrored in training: a simple classifier keeps"]),
        (["beside"], False, ["Images are not mirrored in training: a simple classifier keeps 0%"]),
        (["row", "above"], True, ["Images are mirrored"]),
        (["row", "beside"], False, ["Images are not mirrored"]),
        (["above", "beside"], False, ["(above), 0% (beside)"]),
        (["beside", "above"], False, ["0% (beside)"]),
        (["above", "noise"], True, ["of mirrored ones a simple classifier tells at most"]),
        (["above", "beside", "noise"], False, ["does not show whether those of noise keep"]),
        (["above", "leaning"], False, ["does not show whether those of leaning keep"]),
    ],
)
def test_pictures_are_mirrored_only_if_each_of_an_example_bears_it(names, may, said):
    answer, reasons = mirroring(data_of(*names), 0)
    assert answer is may
    assert len(reasons) == len(said)
    assert all(text in reason for text, reason in zip(said, reasons, strict=True))


def test_two_pictures_that_bear_it_are_mirrored():
    data = data_of("above")
    twice = replace(data, inputs=(*data.inputs, replace(data.inputs[0], name="again")))
    columns = Examples({**COLUMNS, "again": COLUMNS["above"][:, ::-1]})
    may, (reason,) = mirroring(replace(twice, splits=dict.fromkeys(SPLITS, columns)), 0)
    assert may and "All pictures of an example are mirrored alike." in reason


def test_quantities_are_not_known_to_stay_the_same():
    data = replace(data_of("above"), tasks=(Regression(name="label"),))
    may, (reason,) = mirroring(data, 0)
    assert not may and "--flip says that they do" in reason


@pytest.mark.parametrize("asked", [{"mosaic": 0.3}, {"flip": True}])
def test_what_needs_a_picture_is_refused_if_there_is_none(asked):
    (name,) = asked
    with pytest.raises(
        UsageError, match=rf"{name} .* no picture among the inputs: 'row' \(table\)"
    ):
        choose(data_of("row"), overrides=asked, epochs=1)
    for names in (["above"], ["row", "above"]):
        check_augmentation(data_of(*names).inputs, asked)


def test_what_is_not_wanted_needs_no_picture():
    check_augmentation(data_of("row").inputs, {"flip": False, "cutmix": None, "mixup": 0.2})


@pytest.mark.parametrize(
    ("names", "augmentation", "said"),
    [
        (["row"], "heavy", "Of heavy augmentation only mixup and cutmix act: there is no picture."),
        (["row"], "medium", "The medium augmentation changes nothing: there is no picture."),
        (["row"], "none", None),
        (["above"], "heavy", None),
        (["row", "above"], "heavy", "between pictures; row is blended by the share of the area."),
        (["row", "above"], "light", None),
    ],
)
def test_what_acts_otherwise_than_its_name_says_is_said(names, augmentation, said):
    recipe = Recipe(augmentation=augmentation)
    lines = what_acts(data_of(*names).inputs, recipe, {"augmentation": augmentation})
    assert len(lines) == (said is not None)
    assert all(said in line for line in lines)


def test_the_choice_says_so():
    reasons = choose(data_of("row"), overrides={"augmentation": "heavy"}, epochs=1).reasons
    assert "Of heavy augmentation only mixup and cutmix act: there is no picture." in reasons


def test_texts_are_mixed_by_the_network_and_whoever_asks_for_it_is_told():
    text = Text(name="text", longest=16)
    check_augmentation((text,), {"mixup": 0.2})
    recipe = Recipe(augmentation="heavy")
    within, acts = what_acts((text,), recipe, {"augmentation": "heavy"})
    assert within.startswith("Of text training blends what the network makes of each example")
    assert "masks or swaps words and mixup act" in acts
    beside = (*data_of("row", "above").inputs, text)
    within, cut = what_acts(beside, recipe, {"augmentation": "heavy"})
    assert within.startswith("Of text training") and "row, text is blended by the share" in cut
    light = replace(recipe, augmentation="light")
    assert not any("blends" in line for line in what_acts((text,), light, {}))


def test_pixels_and_numbers_beside_a_text_mix_as_without_it():
    data = data_of("row")
    texts = rows_of([f"text {row}" for row in range(COUNT)], 16)
    beside = replace(
        data,
        inputs=(*data.inputs, Text(name="text", longest=16)),
        splits=dict.fromkeys(SPLITS, Examples({**COLUMNS, "text": texts})),
    )
    recipe = Recipe(batch_size=32, augmentation="none", mixup=0.5)
    alone, batch = (Batches(each, recipe).batch(0, 0) for each in (data, beside))
    own = {name: batch.inputs[name] for name in ("text", OTHER, SHARE)}
    assert batch.inputs.keys() == {"row", *own} and alone.inputs.keys() == {"row"}
    assert sorted(own[OTHER]) == list(range(32)) and own[SHARE].dtype == np.float32
    # Rows are (label, -label), so that a blended row tells how its targets have to be blended.
    np.testing.assert_array_equal(batch.inputs["row"][:, 0], batch.targets["label"][:, 1])
    said = np.array([int(text.tobytes().rstrip(b"\0").split()[1]) % 2 for text in own["text"]])
    blended = said * own[SHARE] + said[own[OTHER]] * (1 - own[SHARE])
    np.testing.assert_allclose(batch.targets["label"][:, 1], blended, rtol=1e-6)
    assert ((blended > 0) & (blended < 1)).any()
    plain = Batches(beside, replace(recipe, mixup=None)).batch(0, 0)
    assert plain.inputs.keys() == {"row", "text"}
