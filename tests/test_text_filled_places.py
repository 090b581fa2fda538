"""Places for words end with the longest text that is asked: the same answers, by less work."""

import numpy as np
import pytest

from allotrope.delivery.finished import answering
from allotrope.inputs.text.filled_places import with_filled_places
from allotrope.inputs.text.text_input import Text
from allotrope.network.build import Builder
from allotrope.network.zoo import TEXT_NETWORKS
from allotrope.runtimes import runtime

VOCABULARY = np.arange(2**18, dtype=np.int32) % 50
SAID = ["a film of great beauty, a film of great length", "no", "", "one two three 四 🙂"]
SMALL = {
    "text_cnn": {"dimension": 8, "filters": 6},
    "lstm": {"dimension": 8, "hidden": 5},
    "gru": {"dimension": 8, "hidden": 5},
    "transformer": {},
}
ROWS = [SAID, SAID[::-1], [""], ["", ""], ["no"], ["word " * 60, "x"]]


@pytest.fixture(scope="module", params=SMALL)
def prepared(request):
    """A text and a network for it, with places as many as bytes."""
    text = Text(name="text", longest=200, bytes_a_word=1)
    network = TEXT_NETWORKS[request.param](3, VOCABULARY, seed=1, **SMALL[request.param])
    return text, text.prepare(network)


def test_answers_are_the_same(prepared):
    text, network = prepared
    form = answering(network, [text])
    assert form is not network
    for said in ROWS:
        x = {"text": text.cut(text.column(said))}
        for name, expected in network.run(x).items():
            np.testing.assert_allclose(form.run(x)[name], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_runtimes_answer_the_same(prepared, name, tmp_path):
    text, network = prepared
    answering(network, [text]).save(tmp_path / "form.onnx")
    session = runtime(name).open(tmp_path / "form.onnx", "float32", 1)
    for said in ROWS:
        x = {"text": text.cut(text.column(said))}
        for output, expected in network.run(x).items():
            np.testing.assert_allclose(session.run(x)[output], expected, rtol=0, atol=1e-4)


def numbers(words):
    """A network that gives its input as `words` and twice that, behind a node."""
    builder = Builder("numbers")
    x = builder.input("x", np.int32, ("n", "w"))
    one = builder.constant(np.int32(1), "one")
    made = builder.add("Mul", [x, one], name=words)
    builder.output(builder.add("Add", [made, made], name="twice"), "y")
    return builder.network()


@pytest.mark.parametrize(
    "rows, places",
    [
        ([[1, 2, 0, 0], [1, 0, 0, 0]], 2),
        ([[1, 2, 3, 4], [1, 0, 0, 0]], 4),
        # A word whose bucket is 0 stands before one that is there.
        ([[1, 0, 3, 0], [1, 0, 0, 0]], 3),
        ([[0, 0, 0, 0]], 1),
    ],
)
def test_columns_end_behind_the_last_word(rows, places):
    form = with_filled_places(numbers("words"), "words")
    answer = form.run({"x": np.array(rows, np.int32)})["y"]
    np.testing.assert_array_equal(answer, 2 * np.array(rows, np.int32)[:, :places])


def test_a_network_without_words_is_itself():
    network = numbers("others")
    assert with_filled_places(network, "words") is network


def test_words_that_are_answered_stay_whole():
    builder = Builder("answered")
    x = builder.input("x", np.int32, ("n", "w"))
    builder.output(builder.add("Mul", [x, builder.constant(np.int32(1), "one")]), "words")
    network = builder.network()
    assert with_filled_places(network, "words") is network
