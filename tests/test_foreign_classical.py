"""Scikit-learn's models: the label is cut off and said, what remains is equal and learns."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.errors import ModelError, UnsupportedError
from onnx_models import drawn_from, model, node, outputs, tensor
from repaired import F

RNG = np.random.default_rng(7)
ML = "ai.onnx.ml"
X = RNG.standard_normal((4, 6)).astype(F)
ROWS = [tensor("x", shape=["n", 6])]

drawn = partial(drawn_from, RNG)


def ml(operator, inputs, outs, **attributes):
    return helper.make_node(operator, inputs.split(), outs.split(), domain=ML, **attributes)


def of(nodes, ends, arrays=None, inputs=None):
    made = model(nodes, inputs or ROWS, ends, arrays, opset=17, ir_version=8)
    made.opset_import.append(helper.make_opsetid(ML, 3))
    return made


def labels(kind=TensorProto.INT64):
    return helper.make_tensor_value_info("label", kind, [None])


LAYERS = [
    node("MatMul", "x w", "a"),
    node("Relu", "a", "r"),
    node("MatMul", "r v", "z"),
    node("Softmax", "z", "p", axis=1),
]
ARRAYS = {"w": drawn(6, 8), "v": drawn(8, 3), "classes": np.arange(3), "row": np.array([-1])}
NAMED = [
    node("ArgMax", "p", "i", axis=1, keepdims=1),
    ml("ArrayFeatureExtractor", "classes i", "l"),
    node("Reshape", "l row", "label"),
]
DICTIONARY = helper.make_value_info(
    "m",
    helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(1, []))
    ),
)


def loaded(made):
    lines = []
    return allotrope.load(made, report=lines.append), lines


def test_a_label_is_cut_off_and_the_probabilities_train(framework):
    made = of([*LAYERS, *NAMED], [labels(), tensor("p", shape=None)], ARRAYS)
    network, lines = loaded(made)
    assert [value.name for value in network.outputs] == ["p"] and network.trainable == {"w", "v"}
    assert lines == ["reading: label is a label by name and is cut off; the network gives p"]
    np.testing.assert_allclose(
        network.run({"x": X}, framework)["p"], outputs(made, x=X)[1], rtol=1e-4, atol=1e-5
    )


def test_a_dictionary_becomes_an_array():
    zipped = ml("ZipMap", "p", "m", classlabels_int64s=[0, 1, 2])
    made = of([*LAYERS, *NAMED, zipped], [labels(), DICTIONARY], ARRAYS)
    network, lines = loaded(made)
    assert [value.name for value in network.outputs] == ["m"]
    expected = [[row[k] for k in sorted(row)] for row in outputs(made, x=X)[1]]
    np.testing.assert_allclose(network.run({"x": X})["m"], expected, rtol=1e-4, atol=1e-5)
    assert lines[0] == (
        "reading: label is a label by name and is cut off; "
        "m is an array instead of a dictionary; the network gives m"
    )


def test_text_labels_are_cut_off_too():
    named = [
        node("ArgMax", "p", "i", axis=1, keepdims=0),
        ml("LabelEncoder", "i", "label", keys_int64s=[0, 1, 2], values_strings=["a", "b", "c"]),
    ]
    made = of([*LAYERS, *named], [labels(TensorProto.STRING), tensor("p", shape=None)], ARRAYS)
    assert [value.name for value in loaded(made)[0].outputs] == ["p"]


def test_the_scores_take_the_place_of_a_label_alone():
    network, lines = loaded(of([*LAYERS, *NAMED], [labels()], ARRAYS))
    assert [value.name for value in network.outputs] == ["p"]
    assert lines[0].endswith("the network gives p")


def test_a_plain_number_of_a_class_stays():
    made = model(
        [*LAYERS, node("ArgMax", "p", "label", axis=1)],
        ROWS,
        [labels(), tensor("p", shape=None)],
        ARRAYS,
    )
    network, lines = loaded(made)
    assert [value.name for value in network.outputs] == ["label", "p"] and not lines


COEFFICIENTS = drawn(18).tolist()
CLASSIFIER = {
    "coefficients": COEFFICIENTS,
    "intercepts": drawn(3).tolist(),
    "classlabels_ints": [0, 1, 2],
}


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_a_linear_classifier(transform):
    made = of(
        [ml("LinearClassifier", "x", "label s", post_transform=transform, **CLASSIFIER)],
        [labels(), tensor("s", shape=None)],
    )
    network, _ = loaded(made)
    np.testing.assert_allclose(
        network.run({"x": X})["s"], outputs(made, x=X)[1], rtol=1e-4, atol=1e-5
    )
    assert sorted(array.size for array in network.weights.values()) == [3, 18]


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_a_linear_classifier_with_one_score_for_two_classes(transform):
    attributes = {
        "coefficients": COEFFICIENTS[:6],
        "intercepts": [0.3],
        "classlabels_ints": [0, 1],
        "post_transform": transform,
    }
    made = of(
        [ml("LinearClassifier", "x", "label s", **attributes)], [labels(), tensor("s", shape=None)]
    )
    scores, expected = loaded(made)[0].run({"x": X})["s"], outputs(made, x=X)[1]
    np.testing.assert_allclose(scores[:, 1], expected[:, 1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


MISSING = X.copy()
MISSING[0, 2] = MISSING[3, 5] = np.nan
PARTS = {
    "Scaler": (ml("Scaler", "x", "y", offset=drawn(6).tolist(), scale=drawn(6).tolist()), X),
    "Scaler by one number": (ml("Scaler", "x", "y", offset=[0.5], scale=[2.0]), X),
    "Normalizer L1": (ml("Normalizer", "x", "y", norm="L1"), X),
    "Normalizer L2": (
        ml("Normalizer", "x", "y", norm="L2"),
        np.vstack([X[:3], np.zeros((1, 6), F)]),
    ),
    "Normalizer MAX": (ml("Normalizer", "x", "y", norm="MAX"), np.abs(X)),
    "Imputer": (
        ml(
            "Imputer",
            "x",
            "y",
            imputed_value_floats=drawn(6).tolist(),
            replaced_value_float=float("nan"),
        ),
        MISSING,
    ),
    "Imputer of a number": (
        ml("Imputer", "x", "y", imputed_value_floats=[1.5], replaced_value_float=0.0),
        np.round(X),
    ),
    "Binarizer": (ml("Binarizer", "x", "y", threshold=0.2), X),
    "OneHotEncoder": (
        ml("OneHotEncoder", "x", "y", cats_int64s=[0, 1, 2], zeros=1),
        RNG.integers(0, 4, (4, 1)),
    ),
    "FeatureVectorizer": (ml("FeatureVectorizer", "x x", "y", inputdimensions=[6, 6]), X),
    "LinearRegressor": (
        ml(
            "LinearRegressor",
            "x",
            "y",
            coefficients=COEFFICIENTS[:12],
            intercepts=[0.5, 1.0],
            targets=2,
        ),
        X,
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_what_prepares_rows_computes_what_onnxruntime_does(case):
    made_node, x = PARTS[case]
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    made = of(
        [made_node],
        [tensor("y", shape=None)],
        inputs=[helper.make_tensor_value_info("x", kind, ["n", x.shape[1]])],
    )
    expected = outputs(made, x=x)[0]
    y = loaded(made)[0].run({"x": x})["y"]
    np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


def test_columns_by_number():
    made = of(
        [ml("ArrayFeatureExtractor", "x i", "y")],
        [tensor("y", shape=None)],
        {"i": np.array([4, 0])},
    )
    np.testing.assert_allclose(loaded(made)[0].run({"x": X})["y"], X[:, [4, 0]])


@pytest.mark.parametrize("operator", ["TreeEnsembleClassifier", "SVMClassifier"])
def test_what_has_no_gradients_is_refused_by_name(operator):
    made = of([ml(operator, "x", "label s")], [labels(), tensor("s", shape=None)])
    with pytest.raises(UnsupportedError, match=f"ai.onnx.ml.{operator} .*not trained or converted"):
        allotrope.load(made)


def test_coefficients_that_do_not_fit_are_named():
    made = of(
        [ml("LinearRegressor", "x", "y", coefficients=[1.0, 2.0, 3.0], targets=2)],
        [tensor("y", shape=None)],
    )
    with pytest.raises(ModelError, match=r"LinearRegressor .* has 3 coefficients for 2 results"):
        allotrope.load(made)
