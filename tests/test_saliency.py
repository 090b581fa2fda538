"""Grad-CAM: maps lie at a planted cue, those of shuffled weights do not, and the report says so."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image as Picture

from allotrope.inputs.heat import panels, warm
from allotrope.inputs.image.image import Image
from allotrope.inputs.stretch import stretched
from allotrope.inputs.volume.volume import Volume
from allotrope.measure.saliency import (
    Question,
    gradient_weighted,
    rank_correlations,
    saliency,
)
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.rewriting.ensemble import ensemble
from allotrope.network.rewriting.feature_maps import (
    last_feature_map,
    last_feature_maps,
    probed,
)
from allotrope.network.rewriting.shuffled import with_shuffled_weights
from allotrope.tasks import Classification
from quick import fit
from tested import TESTED

SIDE, CUE, COUNT = 24, 4, 12
RANDOM = np.random.default_rng(3)


STRIPES = np.repeat([1, -1, 1, -1], CUE).reshape(CUE, CUE).astype(np.float32)


def striped():
    """Noise [n, 1, h, w] with flat stripes and upright ones, and where the flat ones are [n, 2]."""
    random = np.random.default_rng(3)
    x = random.normal(0, 0.2, (COUNT, 1, SIDE, SIDE)).astype(np.float32)
    corners = random.integers(1, SIDE - CUE - 1, (COUNT, 2))
    others = (corners + SIDE // 2) % (SIDE - CUE)
    for one, (top, left), (below, right) in zip(x, corners, others, strict=True):
        one[0, top : top + CUE, left : left + CUE] += STRIPES
        one[0, below : below + CUE, right : right + CUE] += STRIPES.T
    return x, corners


def detector(learns=True):
    """A network that is sure of its second class if there are flat stripes anywhere.

    Of its eight filters the first finds them, and is all that the last layer listens to.
    """
    random = np.random.default_rng(1)
    build = Builder("detector")
    filters = random.normal(0, 0.1, (8, 1, CUE, CUE)).astype(np.float32)
    filters[0] = STRIPES / CUE**2
    bias = np.full(8, -0.1, np.float32)
    bias[0] = -0.7
    head = np.zeros((2, 8), np.float32)
    head[:, 0] = -9, 9
    x = build.input("picture", np.float32, ("n", 1, SIDE, SIDE))
    names = [
        build.weight(name, array, trainable=learns)
        for name, array in (("conv.weight", filters), ("conv.bias", bias), ("head.weight", head))
    ]
    y = build.add("Conv", [x, *names[:2]], {"pads": [1, 1, 2, 2]}, name="conv")
    y = build.add("Relu", [y], name="relu")
    y = build.add("Flatten", [build.add("GlobalAveragePool", [y])])
    build.output(build.add("Gemm", [y, names[2]], {"transB": 1}, name="head"), "kind")
    return build.network()


def question(x):
    return Question({"picture": x}, "kind", np.tile(np.float32([-0.5, 0.5]), (len(x), 1)))


def peaks_at(maps, corners):
    """Whether the strongest place of each map [n, h, w] lies at its cue."""
    places = np.array([np.unravel_index(one.argmax(), one.shape) for one in maps])
    return (np.abs(places - corners - (CUE - 1) / 2) <= CUE / 2).all(axis=1)


@pytest.mark.parametrize("name", TESTED)
def test_maps_lie_at_the_cue_and_those_of_shuffled_weights_do_not(name):
    x, corners = striped()
    made = saliency(detector(), question(x), "picture", {"picture": x}, name)
    assert made.layer == "relu" and made.learned.shape == (COUNT, SIDE, SIDE)
    assert peaks_at(made.learned, corners).all()
    assert peaks_at(made.shuffled, corners).mean() < 0.5
    assert made.depends and abs(made.correlations.mean()) < 0.4


def test_maps_that_nothing_learned_shapes_are_told():
    x, _ = striped()
    made = saliency(detector(learns=False), question(x), "picture", {"picture": x}, "pytorch")
    assert not made.depends and np.allclose(made.correlations, 1)


def test_several_networks_in_one_show_the_mean_of_their_maps():
    x, corners = striped()
    # The second one knows nothing: alone its map would be shown, or that of the first.
    members = [detector(), with_shuffled_weights(detector(), 3), detector()]
    whole = ensemble(members)
    made = saliency(whole, question(x), "picture", {"picture": x}, "pytorch")
    assert made.layer == "member1.relu, member2.relu, member3.relu"
    layer = last_feature_map(detector(), "picture", "kind")
    maps = [gradient_weighted(each, layer, question(x), "pytorch") for each in members]
    # Each counts a third of the answer.
    assert np.allclose(made.learned, np.mean(maps, axis=0) / 3, rtol=1e-3, atol=1e-7)
    assert peaks_at(made.learned, corners).mean() > 0.8
    flat = zoo.mlp(2, (1, SIDE, SIDE))
    names = dict(zip([flat.inputs[0].name, flat.outputs[0].name], ["picture", "kind"], strict=True))
    odd = ensemble([detector(), flat.renamed(names)])
    assert last_feature_maps(odd, "picture", "kind") == ()


def test_the_probe_has_the_gradient_of_the_map():
    x, _ = striped()
    network = detector()
    layer = last_feature_map(network, "picture", "kind")
    whole, probe = probed(network, layer)
    change = np.zeros((COUNT, 8, SIDE, SIDE), np.float32)
    before = whole.run({"picture": x, probe: change})
    assert np.array_equal(before["kind"], network.run({"picture": x})["kind"])
    change[:, 0, 3, 5] = 1
    after = whole.run({"picture": x, probe: change})
    slopes = {"kind": np.tile(np.float32([0, 1]), (COUNT, 1))}
    gradient = whole.gradients({"picture": x, probe: 0 * change}, slopes, "pytorch")[probe]
    assert np.allclose(gradient[:, 0, 3, 5], (after["kind"] - before["kind"])[:, 1], rtol=1e-3)
    # A channel counts by the mean of its slope, and its numbers by themselves.
    maps = gradient_weighted(network, layer, question(x), "pytorch")
    assert np.allclose(maps, before["relu"][:, 0] * 9 / SIDE**2, rtol=1e-4)


def test_rank_correlations_tell_maps_apart():
    maps = RANDOM.normal(size=(3, 4, 5))
    assert np.allclose(rank_correlations(maps, np.exp(maps)), 1)
    assert np.allclose(rank_correlations(maps, -maps), -1)
    assert np.allclose(rank_correlations(maps, np.ones_like(maps)), 0)
    far = rank_correlations(RANDOM.normal(size=(50, 90)), RANDOM.normal(size=(50, 90)))
    assert abs(far.mean()) < 0.1


def test_the_last_map_of_enough_places_is_found():
    def found(network):
        value = last_feature_map(network, network.inputs[0].name, network.outputs[0].name)
        return value and (value.name, value.shape[1:])

    assert found(zoo.resnet20(3, (3, 32, 32))) == ("layer3.2.add.relu", (64, 8, 8))
    # 3 x 3 places behind the last convolution would say little.
    assert found(zoo.mobilenet_v2(3, (3, 96, 96))) == ("features.14.conv.0.1.clip", (576, 6, 6))
    assert found(zoo.cnn_3d(3, (1, 16, 16, 16))) == ("bn2.relu", (32, 8, 8, 8))
    assert found(zoo.cnn_3d(3, (1, 1, 16, 16))) == ("bn2.relu", (32, 1, 8, 8))
    assert found(zoo.mlp(3, (1, 8, 8))) is None


def test_shuffled_weights_are_the_same_numbers_and_state_stays():
    network = zoo.resnet8(3, (3, 16, 16))
    shuffled = with_shuffled_weights(network, 4)
    for name, array in network.weights.items():
        assert np.array_equal(np.sort(array, None), np.sort(shuffled.weights[name], None))
    conv = next(name for name in network.trainable if network.weights[name].ndim == 4)
    assert not np.array_equal(network.weights[conv], shuffled.weights[conv])
    assert set(network.weights) - network.trainable
    for name in set(network.weights) - network.trainable:
        assert np.array_equal(network.weights[name], shuffled.weights[name])


def test_maps_are_stretched_over_the_same_extent():
    heat = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert np.array_equal(stretched(heat, (2, 2)), heat)
    whole = stretched(heat, (8, 6))
    assert whole.shape == (8, 6) and np.isclose(whole.mean(), heat.mean())
    assert whole[0, 0] == 0 and whole[-1, -1] == 3
    assert np.allclose(stretched(np.full((3, 4, 5), 2.0), (9, 4, 2)), 2)
    assert np.array_equal(warm(np.array([-3.0, 1.0, 2.0])), [0, 0.5, 1])
    assert not warm(-heat).any()


def test_panels_are_warm_where_the_map_is():
    heat = np.zeros((6, 6))
    heat[1, 4] = 1
    grey = np.full((6, 6), 90, np.uint8)
    whole = np.asarray(Picture.open(io.BytesIO(panels([(grey, None), (grey, heat)]))))
    side = (whole.shape[1] - 6) // 2
    plain, over = whole[:, :side], whole[:, -side:]
    assert (plain[..., :3] == 90).all() and (whole[:, side : side + 6, 3] == 0).all()
    row, column = np.unravel_index(
        (over[..., 0] - over[..., 2].astype(int)).argmax(), over.shape[:2]
    )
    assert (row // (side // 6), column // (side // 6)) == (1, 4)
    assert (over[-side // 3 :, :, :3] == 90).all()


def test_a_volume_is_cut_where_its_map_is_strongest():
    x = np.zeros((8, 10, 12), np.float32)
    x[6, 2, 3] = 1
    heat = np.zeros((8, 10, 12))
    heat[6, 2, 3] = 1
    scan = Volume(name="scan", shape=x.shape, spacing=(1.0, 1.0, 1.0), window=(0.0, 1.0))
    picture, over = scan.under(x, heat)
    assert picture.shape == over.shape and np.array_equal(picture == 255, over == 1)
    assert (picture == 255).sum() == 3  # one in each of the three slices
    image = Image(name="i", height=10, width=12, channels=1)
    assert image.under(np.zeros((10, 12, 1), np.uint8), np.ones((3, 3)))[1].shape == (10, 12)


def test_right_answers_are_typical_and_wrong_ones_the_worst():
    task = Classification(name="kind", classes=("a", "b", "c"))
    labels = np.array([0] * 9 + [1] * 5 + [-1] + [2] * 3)
    sure = np.concatenate([np.arange(1, 10), np.arange(1, 6), [9], [-7.0, -8, 3]])
    output = np.eye(3)[np.maximum(labels, 0)] * sure[:, None]
    answers = task.explained(output, labels)
    assert [each.index for each in answers] == [4, 11, 17, 16, 15]
    # For the answer, and against what all classes have in common.
    assert np.allclose(answers[0].slope, [2 / 3, -1 / 3, -1 / 3])
    assert answers[-1].facts["true"] == "c" and answers[-1].facts["predicted"] != "c"
    pair = Classification(name="kind", classes=("a", "b"))
    labels = np.arange(12) % 2
    assert len(pair.explained(np.eye(2)[labels] * 5, labels)) == 4


def run_of_squares(folder, **options):
    labels = np.arange(120) % 2
    x = RANDOM.integers(0, 60, (120, 12, 12)).astype(np.uint8)
    for one, label in zip(x, labels, strict=True):
        one[4:8, 2 + 6 * label : 4 + 6 * label] = 230
    source = {"picture": x, "side": labels}
    return fit(source, epochs=2, threads=1, quiet=True, out=folder, max_drop=100, **options)


def test_fit_shows_them_unless_they_are_left_out(tmp_path):
    run = run_of_squares(tmp_path)
    facts = json.loads((run.folder / "run.json").read_text())["test"]["saliency"]
    assert facts["input"] == "picture" and "seconds" not in facts and len(facts["examples"]) >= 4
    for example in facts["examples"]:
        assert (run.folder / example["picture"]).is_file()
    page = (run.folder / "report.html").read_text()
    assert "Where it found what spoke for its answer" in page
    assert ("do depend on what was learned" in page) == facts["depends"]
    left_out = run_of_squares(tmp_path, saliency=False)
    assert "saliency" not in left_out.json["test"]
    assert "what spoke for" not in (left_out.folder / "report.html").read_text()
