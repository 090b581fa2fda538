"""Networks as one that answers a weighted mean of theirs, and the mirror image inside a file."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.errors import UsageError
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.network.rewriting.in_mirror import in_mirror
from allotrope.network.rewriting.united import united
from allotrope.network.rewriting.voting import with_vote
from allotrope.runtimes import runtime
from measured import classifier, images

SHARES = (0.5, 0.2, 0.3)
PRECISE = 1e-6


@pytest.fixture(scope="module")
def members() -> list[Network]:
    return [classifier(seed) for seed in range(3)]


def answered(members: list[Network], x: np.ndarray) -> list[np.ndarray]:
    return [network.run({"image": x})["probabilities"] for network in members]


def in_runtime(name: str, network: Network, x: np.ndarray, folder) -> np.ndarray:
    network.save(folder / "network.onnx")
    session = runtime(name).open(folder / "network.onnx", "float32", 1)
    return session.run({"image": x})["probabilities"]


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_one_file_is_the_mean_of_what_its_members_answer(members, tmp_path, name):
    x = images(40)
    expected = np.average(answered(members, x), axis=0, weights=SHARES)
    whole = united(members, {"probabilities": SHARES})
    answers = in_runtime(name, whole, x, tmp_path)
    assert np.abs(answers - expected).max() <= PRECISE


def test_pre_processing_is_computed_once_and_every_member_keeps_its_weights(members):
    whole = united(members, {"probabilities": SHARES})
    operators = [node.operator for node in whole.graph.nodes]
    assert operators.count("Cast") == operators.count("Transpose") == 1
    assert operators.count("Conv") == 6
    assert len(whole.weights) == 3 * len(members[0].weights)
    assert whole.metadata == members[0].metadata
    for weight, array in members[1].weights.items():
        np.testing.assert_array_equal(whole.weights[f"member2.{weight}"], array)


def test_the_same_network_twice_is_computed_once(members):
    whole = united([members[0], members[0]], {"probabilities": (0.25, 0.75)})
    operators = [node.operator for node in whole.graph.nodes]
    assert operators.count("Conv") == 2
    x = images(3)
    alone = members[0].run({"image": x})["probabilities"]
    assert np.allclose(whole.run({"image": x})["probabilities"], alone, atol=PRECISE)


def test_members_that_take_or_answer_something_else_are_refused(members):
    other = Builder("other")
    x = other.input("pixels", "float32", ("n", 7))
    weight = other.weight("w", np.ones((7, 5), np.float32))
    other.output(other.add("MatMul", [x, weight]), "probabilities")
    renamed = members[1].changed(metadata={"classes": '["a", "b", "c", "d"]'})
    with pytest.raises(UsageError, match="cannot be members of one") as refused:
        united([members[0], renamed, other.network()], {"probabilities": SHARES})
    said = str(refused.value)
    assert "network 2 answers classes" in said
    assert "network 3 has inputs 'pixels' float32 [n, 7]" in said
    assert "network 3 has outputs 'probabilities' float32 [n, 5]" in said


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_the_mirror_image_is_asked_inside_the_file(members, tmp_path, name):
    x, network = images(9), members[0]
    expected = np.mean([*answered([network], x), *answered([network], x[:, :, ::-1])], axis=0)
    whole = in_mirror(network, {"image": 2})
    assert np.abs(in_runtime(name, whole, x, tmp_path) - expected).max() <= PRECISE
    assert len(whole.weights) == len(network.weights)
    assert [value.name for value in whole.inputs] == ["image"]


def test_what_answers_alike_for_both_is_not_what_the_test_above_sees(members):
    x, network = images(9), members[0]
    x = np.random.default_rng(3).integers(0, 256, x.shape).astype(np.uint8)
    whole = in_mirror(network, {"image": 2}).run({"image": x})["probabilities"]
    assert np.abs(whole - network.run({"image": x})["probabilities"]).max() > 1e-4


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_vote_is_in_the_file_too(members, tmp_path, name):
    x = images(40)
    voting = [with_vote(each, {"probabilities": "Hardmax"}) for each in members]
    whole = united(voting, {"probabilities": (1 / 3, 1 / 3, 1 / 3)})
    votes = [np.eye(4)[each.argmax(axis=1)] for each in answered(members, x)]
    answers = in_runtime(name, whole, x, tmp_path)
    assert np.abs(answers - np.mean(votes, axis=0)).max() <= PRECISE


def test_no_two_nodes_have_one_name_as_quantizers_need(members):
    whole = in_mirror(united(members, {"probabilities": SHARES}), {"image": 2})
    names = [node.name for node in whole.graph.nodes]
    assert len(names) == len(set(names)) and all(names)
