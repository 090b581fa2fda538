"""Scikit-learn's preparations of rows and its linear models (ai.onnx.ml): x [n, f]."""

from __future__ import annotations

import math

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer

ML = "ai.onnx.ml"
_FLOAT = 1
"""ONNX's number of float32."""


def _floats(w: Writer, x: str) -> str:
    if w.dtype(x) == np.float32:
        return x
    return w.add("Cast", x, to=_FLOAT)


@foreign("Scaler", domain=ML)
def scaler(
    w: Writer, x: str, *, offset: tuple[float, ...] = (), scale: tuple[float, ...] = ()
) -> str:
    """(x - offset) scale."""
    y = _floats(w, x)
    if offset:
        y = w.add("Sub", y, w.constant(offset, np.float32, "offset"))
    if scale:
        return w.add("Mul", y, w.constant(scale, np.float32, "scale"))
    return y


@foreign("Normalizer", domain=ML)
def normalizer(w: Writer, x: str, *, norm: str = "MAX") -> str:
    """Each row over its norm; a row of zeros stays as it is."""
    operators = {"L1": "ReduceL1", "L2": "ReduceL2", "MAX": "ReduceMax"}
    if norm not in operators:
        raise UnsupportedError(f"its norm '{norm}' is not known")
    y = _floats(w, x)
    length = w.add(operators[norm], y, w.ints(-1), keepdims=1)
    # A row of zeros has the length 0: divided by 1 it stays as it is, and is no NaN.
    nothing = w.add("Equal", length, w.constant(0, np.float32))
    return w.add("Div", y, w.add("Where", nothing, w.constant(1, np.float32), length))


@foreign("Imputer", domain=ML)
def imputer(
    w: Writer,
    x: str,
    *,
    imputed_value_floats: tuple[float, ...] = (),
    imputed_value_int64s: tuple[int, ...] = (),
    replaced_value_float: float = math.nan,
    replaced_value_int64: int = 0,
) -> str:
    """What is missing replaced by one number, or one a column."""
    if imputed_value_int64s:
        missing = w.add("Equal", x, w.constant(replaced_value_int64, np.int64))
        return w.add("Where", missing, w.constant(imputed_value_int64s, np.int64), x)
    imputed = w.constant(imputed_value_floats, w.dtype(x))
    # NaN equals nothing, itself included, so that Equal would never find it.
    if math.isnan(replaced_value_float):
        return w.add("Where", w.add("IsNaN", x), imputed, x)
    return w.add("Where", w.add("Equal", x, w.number(replaced_value_float, x)), imputed, x)


@foreign("Binarizer", domain=ML)
def binarizer(w: Writer, x: str, *, threshold: float = 0.0) -> str:
    """1 for what is more than the threshold, else 0, in the type of x."""
    return w.add("CastLike", w.add("Greater", x, w.number(threshold, x)), x)


@foreign("OneHotEncoder", domain=ML)
def one_hot_encoder(
    w: Writer,
    x: str,
    *,
    cats_int64s: tuple[int, ...] = (),
    cats_strings: tuple[str, ...] = (),
    zeros: int = 1,
) -> str:
    """1 at the place of the category, along a new last axis; 0 throughout for one not listed."""
    if cats_strings:
        names = w.constant(np.array(cats_strings, object))
        # Compared with every category at once, along a new axis: an unknown one is equal to none.
        hits = w.add("Equal", w.add("Unsqueeze", x, w.ints(-1)), names)
    else:
        numbers = w.constant(cats_int64s, w.dtype(x))
        hits = w.add("Equal", w.add("Unsqueeze", x, w.ints(-1)), numbers)
    return w.add("Cast", hits, to=_FLOAT)


@foreign("FeatureVectorizer", domain=ML)
def feature_vectorizer(w: Writer, *xs: str, inputdimensions: tuple[int, ...] = ()) -> str:
    """Columns side by side."""
    return w.add("Concat", *(_floats(w, x) for x in xs), axis=1)


@foreign("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(w: Writer, x: str, indices: str) -> str:
    """Columns of x by their numbers."""
    # A single row may come without its first axis, but leaves with it.
    if w.rank(x) == 1:
        x = w.add("Unsqueeze", x, w.ints(0))
    return w.add("Gather", x, w.add("Reshape", indices, w.ints(-1)), axis=-1)


@foreign("LinearRegressor", domain=ML)
def linear_regressor(
    w: Writer,
    x: str,
    *,
    coefficients: tuple[float, ...],
    intercepts: tuple[float, ...] = (),
    targets: int = 1,
    post_transform: str = "NONE",
) -> str:
    """x W + b, [n, targets]."""
    return _transformed(w, _linear(w, x, coefficients, intercepts, targets), post_transform)


@foreign("LinearClassifier", domain=ML)
def linear_classifier(
    w: Writer,
    x: str,
    *,
    coefficients: tuple[float, ...],
    intercepts: tuple[float, ...] = (),
    classlabels_ints: tuple[int, ...] = (),
    classlabels_strings: tuple[str, ...] = (),
    multi_class: int = 0,
    post_transform: str = "NONE",
) -> tuple[str, ...]:
    """The scores x W + b of the classes, [n, classes], as the second output."""
    w.only(1)
    labels = len(classlabels_ints or classlabels_strings)
    # Of two classes a file may hold the score of the second alone.
    count = len(intercepts) or labels
    y = _linear(w, x, coefficients, intercepts, count)
    if count == 1 and labels == 2:
        return "", _of_two_classes(w, y, post_transform)
    return "", _transformed(w, y, post_transform)


def _linear(
    w: Writer,
    x: str,
    coefficients: tuple[float, ...],
    intercepts: tuple[float, ...],
    count: int,
) -> str:
    if not count or len(coefficients) % count:
        raise ModelError(f"it has {len(coefficients)} coefficients for {count} results")
    weight = np.array(coefficients, np.float32).reshape(count, -1).T
    y = w.add("MatMul", _floats(w, x), w.constant(np.ascontiguousarray(weight), name="weight"))
    if intercepts:
        return w.add("Add", y, w.constant(intercepts, np.float32, "bias"))
    return y


def _transformed(w: Writer, y: str, kind: str) -> str:
    """Scores as probabilities."""
    if kind == "NONE":
        return y
    if kind not in ("LOGISTIC", "SOFTMAX"):
        raise UnsupportedError(f"its post_transform '{kind}' is not understood")
    if kind == "LOGISTIC":
        return w.add("Sigmoid", y)
    return w.add("Softmax", y, axis=-1)


def _of_two_classes(w: Writer, y: str, kind: str) -> str:
    """The scores of both classes from that of the second."""
    if kind not in ("NONE", "LOGISTIC"):
        raise UnsupportedError(
            f"its post_transform '{kind}' of one score for two classes is not understood"
        )
    # ONNX Runtime's first score is 1 - s if scores are given as they are, else of -s.
    if kind == "LOGISTIC":
        first = w.add("Neg", y)
    else:
        first = w.add("Sub", w.constant(1, np.float32), y)
    return _transformed(w, w.add("Concat", first, y, axis=-1), kind)
