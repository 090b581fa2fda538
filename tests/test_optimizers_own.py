"""Optimizers are those of torch.optim and optax, 50 steps in float64, and equal in frameworks.

What differs from one of that name elsewhere is written beside it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.optimizer_options import OPTIMIZERS
from allotrope.training.optimizers import optimizer_of
from allotrope.training.optimizers.optimizer_table import OPTIMIZER_TABLE
from eager_primitives import compiled, primitives_of

torch = pytest.importorskip("torch")
STEPS, RATE, DECAY = 50, 0.02, 0.01
RANDOM = np.random.default_rng(1)
MATRIX, VECTOR = RANDOM.standard_normal((4, 6)), RANDOM.standard_normal(5)
GOALS = {(4, 6): RANDOM.standard_normal((4, 6)), (5,): RANDOM.standard_normal(5)}
RECIPE = Recipe(momentum=0.9, beta2=0.99, epsilon=1e-6)


def gradient(weight, step):
    """Of a quadratic whose curvature differs by element, and some noise."""
    curvature = 1 + np.arange(weight.size).reshape(weight.shape) / 3
    return curvature * (weight - GOALS[weight.shape]) + 0.3 * np.cos(step + curvature)


def steps(recipe, start, p=None, decay=DECAY, framework="reference"):
    """The weight and its slots after 50 steps over primitives, as NumPy arrays."""
    p, rule = p or ReferencePrimitives(), optimizer_of(recipe)
    weight = p.constant(start.copy())
    slots = rule.slots(p, weight)

    def update(weight, slope, slots, step):
        return rule.update(p, weight, slope, slots, RATE, decay, step)

    update = compiled(framework, update)
    for step in range(1, STEPS + 1):
        slope = p.constant(gradient(np.asarray(p.to_host(weight)), step))
        weight, slots = update(weight, slope, slots, float(step))
    delivered = p.to_host(rule.delivered(p, weight, slots))
    return delivered, {name: np.asarray(p.to_host(x)) for name, x in slots.items()}


WRAPPED = [
    {"lookahead": 5},
    {"accumulate": 4},
    {"centralize": True},
    {"lookahead": 2, "accumulate": 3, "centralize": True},
]


@pytest.mark.parametrize("start", [MATRIX, VECTOR], ids=["matrix", "vector"])
def test_frameworks_make_the_references_steps(framework, start):
    with primitives_of(framework) as p:
        for optimizer in OPTIMIZERS:
            recipe = replace(RECIPE, optimizer=optimizer)
            expected, slots = steps(recipe, start)
            actual, own = steps(recipe, start, p, DECAY, framework)
            assert np.abs(expected - start).max() > 1e-2, optimizer
            np.testing.assert_allclose(actual, expected, atol=1e-10, err_msg=optimizer)
            assert {n: x.shape for n, x in own.items()} == {n: x.shape for n, x in slots.items()}
            for name, slot in slots.items():
                np.testing.assert_allclose(own[name], slot, atol=1e-10, err_msg=optimizer)


@pytest.mark.parametrize("options", WRAPPED)
def test_wrappers_are_equal_in_frameworks(framework, options):
    with primitives_of(framework) as p:
        for optimizer in ("adamw", "muon"):
            recipe = replace(RECIPE, optimizer=optimizer, **options)
            expected, _ = steps(recipe, MATRIX)
            np.testing.assert_allclose(
                steps(recipe, MATRIX, p, DECAY, framework)[0], expected, atol=1e-10
            )
            plain, _ = steps(replace(RECIPE, optimizer=optimizer), MATRIX)
            assert np.abs(plain - expected).max() > 1e-3


# --- PyTorch's own

BETAS = {"betas": (0.9, 0.99), "eps": 1e-6}
PYTORCH = {
    "adagrad": lambda w: torch.optim.Adagrad(w, RATE, eps=1e-6, weight_decay=DECAY),
    "adadelta": lambda w: torch.optim.Adadelta(w, RATE, rho=0.99, eps=1e-6, weight_decay=DECAY),
    "adamax": lambda w: torch.optim.Adamax(w, RATE, weight_decay=DECAY, **BETAS),
    "radam": lambda w: torch.optim.RAdam(w, RATE, weight_decay=DECAY, **BETAS),
    "amsgrad": lambda w: torch.optim.Adam(w, RATE, amsgrad=True, weight_decay=DECAY, **BETAS),
    "adafactor": lambda w: torch.optim.Adafactor(w, RATE, weight_decay=DECAY),
}


def by_pytorch(make, start):
    weight = torch.tensor(start, requires_grad=True)
    theirs = make([weight])
    for step in range(1, STEPS + 1):
        weight.grad = torch.from_numpy(gradient(weight.detach().numpy(), step))
        theirs.step()
    return weight.detach().numpy()


@pytest.mark.parametrize("start", [MATRIX, VECTOR], ids=["matrix", "vector"])
@pytest.mark.parametrize("optimizer", PYTORCH)
def test_the_same_steps_as_torch_optim(optimizer, start):
    expected = by_pytorch(PYTORCH[optimizer], start)
    actual, _ = steps(replace(RECIPE, optimizer=optimizer), start)
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


def test_muon_is_pytorchs_but_for_its_half_precision():
    """PyTorch orthogonalizes in bfloat16; a matrix that is nearly so has nothing to be moved."""
    make = lambda w: torch.optim.Muon(  # noqa: E731
        w, RATE, weight_decay=DECAY, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    expected = by_pytorch(make, MATRIX)
    actual, _ = steps(replace(RECIPE, optimizer="muon"), MATRIX)
    np.testing.assert_allclose(actual, expected, atol=0.05)


# --- optax's own


def by_optax(transformation, start, evaluated=None):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    with jax.enable_x64(True):
        weight = jax.numpy.asarray(start)
        state = transformation(optax).init(weight)
        for step in range(1, STEPS + 1):
            slope = jax.numpy.asarray(gradient(np.asarray(weight), step))
            change, state = transformation(optax).update(slope, state, weight)
            weight = optax.apply_updates(weight, change)
        return np.asarray(evaluated(optax, state, weight) if evaluated else weight)


OPTAX = {
    "nadam": lambda o: o.chain(
        o.add_decayed_weights(DECAY), o.nadam(RATE, b1=0.9, b2=0.99, eps=1e-6)
    ),
    "lion": lambda o: o.lion(RATE, b1=0.9, b2=0.99, weight_decay=DECAY),
    "lamb": lambda o: o.lamb(RATE, b1=0.9, b2=0.99, eps=1e-6, weight_decay=DECAY),
    "lars": lambda o: o.lars(RATE, weight_decay=DECAY, momentum=0.9),
    "amsgrad": lambda o: o.chain(
        o.add_decayed_weights(DECAY), o.amsgrad(RATE, b1=0.9, b2=0.99, eps=1e-6)
    ),
    "adamax": lambda o: o.chain(
        o.add_decayed_weights(DECAY), o.adamax(RATE, b1=0.9, b2=0.99, eps=1e-6)
    ),
}
OTHERWISE = {
    # The largest of the corrected squares, where PyTorch and we correct the largest.
    "amsgrad": 0.2,
}


@pytest.mark.parametrize("optimizer", OPTAX)
def test_the_same_steps_as_optax(optimizer):
    expected = by_optax(OPTAX[optimizer], MATRIX)
    actual, _ = steps(replace(RECIPE, optimizer=optimizer), MATRIX)
    tolerance = OTHERWISE.get(optimizer, 1e-10)
    np.testing.assert_allclose(actual, expected, atol=tolerance)


def test_schedule_free_is_optaxs():
    make = lambda o: o.contrib.schedule_free_adamw(  # noqa: E731
        RATE, b1=0.9, b2=0.99, eps=1e-6, weight_decay=0.0
    )
    expected = by_optax(
        make, MATRIX, lambda o, state, w: o.contrib.schedule_free_eval_params(state, w)
    )
    actual, _ = steps(replace(RECIPE, optimizer="schedule-free"), MATRIX, decay=0.0)
    np.testing.assert_allclose(actual, expected, atol=1e-10)


def test_lookahead_is_optaxs():
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    with jax.enable_x64(True):
        inner = optax.sgd(RATE, momentum=0.9)
        ahead = optax.lookahead(inner, sync_period=5, slow_step_size=0.5)
        weights = optax.LookaheadParams.init_synced(jax.numpy.asarray(MATRIX))
        state = ahead.init(weights)
        for step in range(1, STEPS + 1):
            slope = jax.numpy.asarray(gradient(np.asarray(weights.fast), step))
            change, state = ahead.update(slope, state, weights)
            weights = optax.apply_updates(weights, change)
    recipe = replace(RECIPE, optimizer="momentum", lookahead=5)
    actual, _ = steps(recipe, MATRIX, decay=0.0)
    np.testing.assert_allclose(actual, np.asarray(weights.fast), atol=1e-10)


def test_so_many_gradients_make_one_step():
    """As one step by their mean, and nothing moves in between."""
    p, recipe = ReferencePrimitives(), replace(RECIPE, optimizer="adam", accumulate=3)
    rule, plain = optimizer_of(recipe), optimizer_of(replace(recipe, accumulate=None))
    weight = other = MATRIX.copy()
    slots, own = rule.slots(p, weight), plain.slots(p, other)
    slopes = RANDOM.standard_normal((9, *MATRIX.shape))
    for step, slope in enumerate(slopes, 1):
        before = weight
        weight, slots = rule.update(p, weight, slope, slots, RATE, 0.0, step)
        if step % 3:
            assert np.array_equal(weight, before)
            continue
        mean = slopes[step - 3 : step].mean(axis=0)
        other, own = plain.update(p, other, mean, own, RATE, 0.0, step // 3)
        np.testing.assert_allclose(weight, other, rtol=1e-12)


def test_a_centralized_gradient_has_no_mean_in_any_row():
    recipe = replace(RECIPE, optimizer="sgd", centralize=True)
    actual, _ = steps(recipe, MATRIX, decay=0.0)
    np.testing.assert_allclose((actual - MATRIX).mean(axis=1), 0, atol=1e-12)
    vector, _ = steps(recipe, VECTOR, decay=0.0)
    assert np.abs((vector - VECTOR).mean()) > 1e-3


def test_options_offer_what_the_table_has():
    assert set(OPTIMIZERS) == set(OPTIMIZER_TABLE)


def test_a_planted_difference_is_found():
    expected = by_pytorch(PYTORCH["radam"], MATRIX)
    actual, _ = steps(replace(RECIPE, optimizer="adam"), MATRIX)
    assert np.abs(actual - expected).max() > 1e-4
