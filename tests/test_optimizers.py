"""Optimizers over primitives: each formula by hand in float64.

And the same steps as torch.optim.
"""

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.optimizer_options import OPTIMIZERS, check_options
from allotrope.training.optimizers import optimizer_of

torch = pytest.importorskip("torch")
RATE, BETA1, BETA2, EPSILON, DECAY, STEPS = 0.05, 0.8, 0.9, 1e-3, 0.01, 5
START = np.array([0.5, -1.0, 2.0])


def gradient(weight, step):
    return 2 * weight + np.cos(step + np.arange(3.0))


def run(options, decay, primitives=None, wrap=np.asarray):
    p = primitives or ReferencePrimitives()
    optimizer = optimizer_of(options)
    weight = wrap(START.copy())
    slots = optimizer.slots(p, weight)
    for step in range(1, STEPS + 1):
        weight, slots = optimizer.update(
            p, weight, wrap(gradient(np.asarray(weight), step)), slots, RATE, decay, step
        )
    return np.asarray(weight)


def recipe(optimizer, decay_kind="l2"):
    return Recipe(
        optimizer=optimizer, momentum=BETA1, beta2=BETA2, epsilon=EPSILON, decay_kind=decay_kind
    )


def by_hand(optimizer, decoupled):
    """The canonical meanings of the design, written out again without any sharing."""
    w, v, m, s = START.copy(), np.zeros(3), np.zeros(3), np.zeros(3)
    for t in range(1, STEPS + 1):
        g = gradient(w, t)
        w, g = (w * (1 - RATE * DECAY), g) if decoupled else (w, g + DECAY * w)
        if optimizer == "sgd":
            w = w - RATE * g
        elif optimizer == "momentum":
            v = BETA1 * v + g
            w = w - RATE * v
        elif optimizer == "nesterov":
            v = BETA1 * v + g
            w = w - RATE * (g + BETA1 * v)
        elif optimizer == "rmsprop":
            s = BETA2 * s + (1 - BETA2) * g**2
            w = w - RATE * g / (np.sqrt(s) + EPSILON)
        else:
            m, s = BETA1 * m + (1 - BETA1) * g, BETA2 * s + (1 - BETA2) * g**2
            w = w - RATE * (m / (1 - BETA1**t)) / (np.sqrt(s / (1 - BETA2**t)) + EPSILON)
    return w


TORCH = {
    "sgd": lambda w: torch.optim.SGD(w, RATE, weight_decay=DECAY),
    "momentum": lambda w: torch.optim.SGD(w, RATE, momentum=BETA1, weight_decay=DECAY),
    "nesterov": lambda w: torch.optim.SGD(
        w, RATE, momentum=BETA1, nesterov=True, weight_decay=DECAY
    ),
    "rmsprop": lambda w: torch.optim.RMSprop(w, RATE, alpha=BETA2, eps=EPSILON, weight_decay=DECAY),
    "adam": lambda w: torch.optim.Adam(
        w, RATE, betas=(BETA1, BETA2), eps=EPSILON, weight_decay=DECAY
    ),
    "adamw": lambda w: torch.optim.AdamW(
        w, RATE, betas=(BETA1, BETA2), eps=EPSILON, weight_decay=DECAY
    ),
}


@pytest.mark.parametrize("decay_kind", ["l2", "decoupled"])
@pytest.mark.parametrize("optimizer", TORCH)
def test_the_formula_by_hand(optimizer, decay_kind):
    expected = by_hand(optimizer, decoupled=decay_kind == "decoupled" or optimizer == "adamw")
    assert run(recipe(optimizer, decay_kind), DECAY) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("optimizer", TORCH)
def test_the_same_steps_as_pytorchs(optimizer):
    weight = torch.tensor(START, requires_grad=True)
    theirs = TORCH[optimizer]([weight])
    for step in range(1, STEPS + 1):
        weight.grad = torch.from_numpy(gradient(weight.detach().numpy(), step))
        theirs.step()
    assert run(recipe(optimizer), DECAY, PyTorchPrimitives(), torch.as_tensor) == pytest.approx(
        weight.detach().numpy(), rel=1e-10
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_decay_both_kinds_are_one(optimizer):
    assert np.array_equal(
        run(recipe(optimizer, "l2"), 0.0), run(recipe(optimizer, "decoupled"), 0.0)
    )


def test_options_that_an_optimizer_does_not_have_are_refused():
    with pytest.raises(UsageError, match=r"adagrad has no momentum: its options are epsilon\. mom"):
        check_options("adagrad", {"momentum": 0.9, "epsilon": 1e-3, "schedule": "step"})
    with pytest.raises(UsageError, match=r"sgd has no momentum and no beta2: .* no such options"):
        check_options("sgd", {"momentum": 0.9, "beta2": 0.9})
    check_options("lion", {"momentum": 0.9, "beta2": 0.9})


@pytest.mark.parametrize("options", [{"optimizer": "adm"}, {"decay_kind": "decouple"}])
def test_unknown_names_are_refused_with_a_suggestion(options):
    with pytest.raises(UsageError, match="Did you mean"):
        optimizer_of(Recipe(**options))
