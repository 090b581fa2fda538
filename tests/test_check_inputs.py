"""What an input is for is recognized by its use, dtype and name; masks leave something to see."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from agreeing import quiet
from allotrope.errors import UsageError
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.fitting import fitted
from allotrope.measure.kinds import check_kind, values_of
from allotrope.measure.random_inputs import (
    batch_names,
    fitting_batch,
    random_inputs,
    sensible_inputs,
)
from allotrope.measure.roles import roles
from allotrope.network.build import Builder
from allotrope.network.graph import Value

BATCH, LENGTH = 8, 5
LENGTHS = {"n": BATCH, "t": LENGTH}
LOWEST = float(np.finfo(np.float32).min)


def table(b, rows=20, width=4):
    return b.weight(
        f"table{rows}", np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
    )


def number(b, value, dtype=np.float32):
    return b.constant(np.asarray(value, dtype))


def indexed(b, ids, rows=20):
    return b.add("Gather", [table(b, rows), ids])


def embedded(b):
    """ids [n, t] into a table of 20 rows."""
    return indexed(b, b.input("ids", "int64", ("n", "t")))


def behind_a_cast(b):
    """As Keras's Embedding, which takes floats."""
    ids = b.add("Cast", [b.input("ids", "float32", ("n", "t"))], {"to": 6})
    return indexed(b, ids)


def moved_by_two(b):
    """As the positions of BART and RoBERTa."""
    return indexed(b, b.add("Add", [b.input("ids", "int64", ("n", "t")), number(b, 2, np.int64)]))


def of_two_tables(b):
    ids = b.input("ids", "int64", ("n", "t"))
    return b.add("Add", [indexed(b, ids, 20), indexed(b, ids, 7)])


def one_hot(b):
    ids = b.input("ids", "int64", ("n", "t"))
    options = [ids, number(b, 6, np.int64), b.constant(np.array([0, 1], np.float32))]
    return b.add("OneHot", options)


def along_a_free_axis(b):
    """Chooses from the second axis of another input, whose length is free."""
    x = b.input("x", "float32", ("n", "t", 4))
    return b.add("Gather", [x, b.input("ids", "int64", (2,))], {"axis": 1})


def named_position(b):
    return indexed(b, b.input("position_ids", "int64", ("n", "t")))


def recurrent_lengths(b):
    x, w = b.input("x", "float32", ("t", "n", 3)), np.ones((1, 8, 3), np.float32)
    r = b.weight("R", np.ones((1, 8, 2), np.float32))
    ids = b.input("ids", "int32", ("n",))
    return b.add("LSTM", [x, b.weight("W", w), r, "", ids], {"hidden_size": 2})


def compared_with_places(b):
    """As a mask that is made of lengths."""
    x, ids = b.input("x", "float32", ("n", "t")), b.input("ids", "int64", ("n", 1))
    length = b.add("Gather", [b.add("Shape", [x]), number(b, 1, np.int64)])
    places = b.add("Range", [number(b, 0, np.int64), length, number(b, 1, np.int64)])
    return b.add("Where", [b.add("Less", [places, ids]), x, number(b, 0.0)])


def sample_rate(b):
    """As silero's voice activity detector."""
    ids = b.input("ids", "int64", ())
    fast = b.add("Cast", [b.add("Equal", [ids, number(b, 16000, np.int64)])], {"to": 1})
    return b.add("Mul", [b.input("x", "float32", ("n", "t")), fast])


def dropped(b):
    """As an export that still trains."""
    return b.add(
        "Dropout", [b.input("x", "float32", ("n", "t")), number(b, 0.5), b.input("ids", "bool", ())]
    )


def the_largest(b):
    return b.add(
        "TopK", [b.input("x", "float32", ("n", "t")), b.input("ids", "int64", (1,))], outputs=2
    )[0]


def boxes(b):
    x, rois = b.input("x", "float32", ("n", 2, 6, 6)), b.input("rois", "float32", ("t", 4))
    return b.add(
        "RoiAlign",
        [x, rois, b.input("ids", "int64", ("t",))],
        {"output_height": 2, "output_width": 2},
    )


def quantized(b):
    x = b.input("ids", "int8", ("n", "t"))
    return b.add("DequantizeLinear", [x, number(b, 0.1), number(b, 0, np.int8)])


def picture(b):
    return b.add("Cast", [b.input("ids", "uint8", ("n", 4, 4, 3))], {"to": 1})


def wide_picture(b):
    return b.add("Cast", [b.input("ids", "int32", ("n", 4, 4, 3))], {"to": 1})


def timestep(b):
    return b.add("Sin", [b.add("Cast", [b.input("timestep", "int64", ("n",))], {"to": 1})])


def token_type(b):
    return indexed(b, b.input("token_type_ids", "int64", ("n", "t")), 2)


def unknown(b):
    return b.add("Cast", [b.input("ids", "int64", ("n", "t"))], {"to": 1})


@pytest.mark.parametrize(
    ("make", "name", "kind"),
    [
        (embedded, "ids", "0..19"),
        (behind_a_cast, "ids", "0..19"),
        (moved_by_two, "ids", "0..17"),
        (of_two_tables, "ids", "0..6"),
        (one_hot, "ids", "0..5"),
        (along_a_free_axis, "ids", f"0..{LENGTH - 1}"),
        (named_position, "position_ids", "positions"),
        (recurrent_lengths, "ids", f"lengths:{LENGTH}"),
        (compared_with_places, "ids", f"lengths:{LENGTH}"),
        (sample_rate, "ids", "16000"),
        (dropped, "ids", "0"),
        (the_largest, "ids", "2"),
        (boxes, "ids", f"0..{BATCH - 1}"),
        (quantized, "ids", "-128..127"),
        (picture, "ids", "0..255"),
        (wide_picture, "ids", "0..255"),
        (timestep, "timestep", "0..999"),
        (token_type, "token_type_ids", "0..1"),
        (unknown, "ids", "0..1"),
    ],
)
def test_what_an_input_is_for(make, name, kind):
    b = Builder()
    b.output(make(b), "y")
    assert roles(b.network(), LENGTHS)[name].kind == kind
    inputs = sensible_inputs(b.network(), BATCH, {"t": LENGTH})
    assert set(b.network().run(inputs)) == {"y"}


# --- masks


def attention(b, hide, ids=True):
    """Attention of x [n, t, 4] to itself, with what `hide` makes of scores [n, t, t]."""
    x = embedded(b) if ids else b.input("x", "float32", ("n", "t", 4))
    key = b.add(
        "Transpose",
        [b.add("MatMul", [x, b.weight("k", np.eye(4, dtype=np.float32))])],
        {"perm": (0, 2, 1)},
    )
    scores = hide(b, b.add("MatMul", [x, key]))
    y = b.add("MatMul", [b.add("Softmax", [scores]), x])
    b.output(b.add("MatMul", [y, b.weight("out", np.ones((4, 2), np.float32))]), "y")
    return b.network()


def row(b, mask):
    return b.add("Unsqueeze", [mask, b.constant(np.array([1], np.int64))])


def taken_from_one(lowest, dtype="int64"):
    """As in transformers: (1 - mask) * lowest is added."""

    def hide(b, scores):
        mask = row(b, b.add("Cast", [b.input("attention_mask", dtype, ("n", "t"))], {"to": 1}))
        away = b.add("Mul", [b.add("Sub", [number(b, 1.0), mask]), number(b, lowest)])
        return b.add("Add", [scores, away])

    return hide


def boolean(name, hidden):
    """Where(mask, -inf, scores), or the other way round."""

    def hide(b, scores):
        mask, never = row(b, b.input(name, "bool", ("n", "t"))), number(b, -np.inf)
        return b.add("Where", [mask, never, scores] if hidden else [mask, scores, never])

    return hide


def added(name):
    """A float mask, which is added."""

    def hide(b, scores):
        return b.add("Add", [scores, row(b, b.input(name, "float32", ("n", "t")))])

    return hide


def equal_to_zero(b, scores):
    """As in GPT-2 of old: where(mask == 0, -1e9, scores)."""
    mask = row(b, b.input("m", "int32", ("n", "t")))
    return b.add("Where", [b.add("Equal", [mask, number(b, 0, np.int32)]), number(b, -1e9), scores])


def of_queries_too(b, scores):
    """mask[:, :, None] * mask[:, None, :]: whatever is hidden hides its own row."""
    mask = b.input("mask", "float32", ("n", "t"))
    columns = b.add("Unsqueeze", [mask, b.constant(np.array([2], np.int64))])
    seen = b.add("Mul", [columns, row(b, mask)])
    away = b.add("Mul", [b.add("Sub", [number(b, 1.0), seen]), number(b, LOWEST)])
    return b.add("Add", [scores, away])


def causal(b, scores):
    """The first query sees the first key alone, so that must be seen."""
    lower = b.constant(np.tril(np.ones((LENGTH, LENGTH), bool)))
    seen = b.add("And", [lower, row(b, b.input("mask", "bool", ("n", "t")))])
    return b.add("Where", [seen, scores, number(b, LOWEST)])


MASKS = {
    "the lowest float": (taken_from_one(LOWEST), "mask"),
    "-10000, floats": (taken_from_one(-1e4, "float32"), "mask"),
    "booleans that show": (boolean("m", hidden=False), "mask"),
    "booleans that hide": (boolean("m", hidden=True), "mask"),
    "padding, by its name": (boolean("src_key_padding_mask", hidden=True), "padding"),
    "added": (added("attn_mask"), "added-mask"),
    "compared with zero": (equal_to_zero, "mask"),
    "of queries too": (of_queries_too, "1"),
    "causal": (causal, "mask"),
}


def fit_of(network, folder, asked=None, say=quiet):
    file = folder / "network.onnx"
    network.save(file)
    computation = Computation(str(file), "float32", BATCH, LENGTHS, 0, 0.1)
    return fitted(computation, asked or {}, (), say)


@pytest.mark.parametrize("mask", MASKS)
def test_masks_leave_every_row_something_to_see(mask, tmp_path):
    hide, kind = MASKS[mask]
    lines = []
    fit = fit_of(attention(Builder(), hide), tmp_path, say=lines.append)
    assert not fit.hidden
    (name,) = [name for name in fit.computation.kinds if name != "ids"]
    assert fit.computation.kinds[name] == kind
    assert any(
        f"input '{name}' is a mask" in line and f"--values {name}=" in line for line in lines
    )


def test_rows_that_nothing_can_show_are_counted_and_said(tmp_path):
    def hide(b, scores):
        return b.add("Add", [scores, b.constant(np.full((LENGTH, LENGTH), LOWEST, np.float32))])

    lines = []
    fit = fit_of(attention(Builder(), hide), tmp_path, say=lines.append)
    assert sum(fit.hidden.values()) == BATCH * LENGTH
    assert any("see nothing: slopes are left out" in line for line in lines)


def test_a_kind_that_is_asked_for_stays(tmp_path):
    network = attention(Builder(), taken_from_one(LOWEST))
    fit = fit_of(network, tmp_path, {"attention_mask": "0", "ids": "3..4"})
    assert fit.computation.kinds == {"attention_mask": "0", "ids": "3..4"}
    assert fit.hidden and set(fit.computation.inputs()["ids"].reshape(-1)) == {3, 4}


def test_numbers_of_which_nothing_finite_comes_are_made_positive(tmp_path):
    b = Builder()
    b.output(b.add("Log", [b.input("p", "float32", ("n", "t"))]), "y")
    lines = []
    fit = fit_of(b.network(), tmp_path, say=lines.append)
    assert fit.computation.kinds == {"p": "uniform"} and np.isfinite(fit.values["y"]).all()
    assert "with others nothing finite comes out" in lines[0]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"idz": "0..3"}, "'idz' is no input. There are: ids, attention_mask"),
        ({"ids": "masks"}, "'masks' is no kind of values. There are: normal"),
        ({"ids": "5..4"}, "'5..4' is empty"),
        ({"ids": "LOW..HIGH"}, "is no kind"),
    ],
)
def test_wrong_kinds_are_refused(asked, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        fit_of(attention(Builder(), taken_from_one(LOWEST)), tmp_path, asked)


# --- values


@pytest.mark.parametrize(
    ("kind", "dtype", "good"),
    [
        ("mask", "int64", lambda x: x[:, 0].all() and not x[:, -1].any()),
        ("mask", "bool", lambda x: x[:, 0].all() and not x[:, -1].any()),
        ("padding", "bool", lambda x: not x[:, 0].any() and x[:, -1].all()),
        ("added-mask", "float16", lambda x: set(x.reshape(-1)) == {0, -1e4}),
        ("positions", "int64", lambda x: (x == np.arange(5)).all()),
        ("3..7", "int32", lambda x: set(x.reshape(-1)) == {3, 4, 5, 6, 7}),
        ("0..7", "float32", lambda x: (x == np.rint(x)).all()),
        ("uniform", "float32", lambda x: 0 <= x.min() < x.max() <= 1),
        ("lengths:9", "int64", lambda x: x.flat[0] == 9 and x.min() >= 1),
        ("-2.5", "float32", lambda x: (x == -2.5).all()),
        ("normal", "float32", lambda x: x.std() > 0.5),
    ],
)
def test_values_of_a_kind(kind, dtype, good):
    x = values_of(check_kind(kind), np.dtype(dtype), (40, 5), np.random.default_rng(0))
    assert x.shape == (40, 5) and x.dtype == dtype
    assert good(x)


@pytest.mark.parametrize("kind", ["mask", "padding", "positions", "lengths:4", "0..3", "normal"])
@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (0, 4), (2, 0)])
def test_values_have_any_shape(kind, shape):
    assert values_of(kind, np.dtype("int64"), shape, np.random.default_rng(0)).shape == shape


def test_complex_numbers_have_no_random_values():
    value = Value("z", np.dtype(np.complex64), ("n",))
    with pytest.raises(UsageError, match="input 'z' has dtype complex64"):
        random_inputs([value], 1, {})


@pytest.mark.parametrize(
    ("shape", "batch"), [((3, 8, 8), 8), ((3, 128, 128), 4), ((3, 240, 320), 2), ((3, "h", "w"), 8)]
)
def test_the_batch_fits_the_size_of_an_example(shape, batch):
    assert fitting_batch([Value("x", np.dtype(np.float32), ("n", *shape))]) == batch


@pytest.mark.parametrize(
    ("names", "batch"),
    [
        (("n", "n"), {"n"}),
        (("seq", "batch"), {"batch"}),
        (("T", "N"), {"N"}),
        (("rows", "rows"), {"rows"}),
        (("time", "time"), {"time"}),
        ((None, "length"), {None}),
    ],
)
def test_the_batch_is_not_a_sequence_that_comes_first(names, batch):
    values = [Value(str(i), np.dtype(np.float32), (name, 2)) for i, name in enumerate(names)]
    assert batch_names(values) == batch


def test_check_of_masked_attention_agrees_and_says_what_was_taken_for_what(capsys):
    network = attention(Builder(), taken_from_one(LOWEST))
    proof = allotrope.check(network, frameworks=["pytorch"], steps=2, dimensions=["t=5"])
    assert proof.exit_code == 0, str(proof)
    assert proof.json["values"] == {"ids": "0..19", "attention_mask": "mask"}
    assert "--values attention_mask=..." in capsys.readouterr().out
