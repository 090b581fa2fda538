"""Optimizers beside Keras's own of the same name: 50 steps in float64, differences named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from test_optimizers_own import MATRIX, RATE, RECIPE, STEPS, gradient, steps

keras = pytest.importorskip("keras")
# Numbers that float32 holds: Keras rounds constants to it before it computes in float64.
MOMENTUM, BETA2, EPSILON, DECAY = 0.875, 0.984375, 2**-20, 2**-7
EXACT = replace(RECIPE, momentum=MOMENTUM, beta2=BETA2, epsilon=EPSILON)
ADAM = {"beta_1": MOMENTUM, "beta_2": BETA2, "epsilon": EPSILON}
own = keras.optimizers
KERAS = {
    "sgd": lambda rate: own.SGD(rate),
    "momentum": lambda rate: own.SGD(rate, momentum=MOMENTUM),
    "nesterov": lambda rate: own.SGD(rate, momentum=MOMENTUM, nesterov=True),
    "rmsprop": lambda rate: own.RMSprop(rate, rho=BETA2, epsilon=EPSILON),
    "adagrad": lambda rate: own.Adagrad(rate, initial_accumulator_value=0.0, epsilon=EPSILON),
    "adadelta": lambda rate: own.Adadelta(rate, rho=BETA2, epsilon=EPSILON),
    "adam": lambda rate: own.Adam(rate, **ADAM),
    "adamw": lambda rate: own.AdamW(rate, weight_decay=DECAY, **ADAM),
    "amsgrad": lambda rate: own.Adam(rate, amsgrad=True, **ADAM),
    "adamax": lambda rate: own.Adamax(rate, **ADAM),
    "nadam": lambda rate: own.Nadam(rate, **ADAM),
    "lion": lambda rate: own.Lion(rate, beta_1=MOMENTUM, beta_2=BETA2, weight_decay=DECAY),
    "lamb": lambda rate: own.Lamb(rate, **ADAM),
    "adafactor": lambda rate: own.Adafactor(rate),
    "muon": lambda rate: own.Muon(rate, weight_decay=DECAY),
    "schedule-free": lambda rate: own.ScheduleFreeAdamW(rate, **ADAM),
}
OTHERWISE = {
    # Epsilon is added before the correction of the bias, as in the last formula of Adam's paper.
    **dict.fromkeys(("adam", "adamw", "amsgrad"), 1e-5),
    # Epsilon is added to the largest, where PyTorch and we add it to the gradient.
    "adamax": 1e-6,
    # Epsilon stands inside of the root.
    "rmsprop": 1e-3,
    "adagrad": 1e-3,
    # The momentum rises by 0.96^t, where Dozat and PyTorch have 0.96^(0.004 t), and we none.
    "nadam": 0.2,
    # Computed in float32, as Keras multiplies by a root in float32.
    "muon": 1e-5,
}
if keras.backend.backend() == "tensorflow":
    # Keras 3.15 reads the place of the steps after it was moved; on JAX it is equal.
    OTHERWISE["schedule-free"] = 0.2


def by_keras(make, dtype):
    """What 50 steps make of the matrix, and the optimizer."""
    weight = keras.Variable(MATRIX.copy(), dtype=dtype)
    # Told as a number it would be kept in float32.
    theirs = make(lambda: keras.ops.convert_to_tensor(RATE, dtype))
    theirs.build([weight])
    for step in range(1, STEPS + 1):
        slope = gradient(keras.ops.convert_to_numpy(weight), step)
        theirs.apply([keras.ops.convert_to_tensor(slope, dtype)], [weight])
    return keras.ops.convert_to_numpy(weight), theirs


@pytest.mark.parametrize("optimizer", KERAS)
def test_the_same_steps_as_keras(optimizer):
    expected, theirs = by_keras(KERAS[optimizer], "float32" if optimizer == "muon" else "float64")
    if optimizer == "schedule-free":
        # Keras goes on at a place between both; what it would deliver is the mean.
        (fast,) = (keras.ops.convert_to_numpy(x) for x in theirs._momentums)
        expected = (expected - (1 - MOMENTUM) * fast) / MOMENTUM
    decay = DECAY if optimizer in ("adamw", "lion", "muon") else 0.0
    actual, _ = steps(replace(EXACT, optimizer=optimizer), MATRIX, decay=decay)
    difference = np.abs(actual - expected).max()
    assert difference <= OTHERWISE.get(optimizer, 1e-10)
    if optimizer in OTHERWISE:
        assert difference > 1e-10, "it is equal, and no longer to be named as different"
