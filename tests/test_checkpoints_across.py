"""A checkpoint that one framework wrote is read in another: every pair of frameworks.

The other goes on as the first would have.
"""

import functools
import itertools

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework
from allotrope.testing.framework_cases import BATCHES, small
from allotrope.training.checkpoints import Checkpoint, Checkpoints
from planned import planned
from tested import TESTED

RECIPE = Recipe(
    optimizer="adam", epsilon=1e-3, weight_decay=1e-2, average=0.9, clip_norm=1.0, seed=7, epochs=1
)
BEFORE, AFTER = range(1, 5), range(5, 9)


@functools.cache
def trainer(name):
    """One trainer a framework, for making one compiles its step.

    Whoever takes it loads a state first.
    """
    return framework(name).trainer(small(), planned(small(), RECIPE, np.ones(4)), Settings())


@functools.cache
def first_state():
    """What every framework starts from."""
    return trainer(TESTED[0]).state()


def losses(name, steps):
    return [float(trainer(name).step(BATCHES[step - 1], 0.01, step)) for step in steps]


@functools.cache
def history(name):
    """The state after the first steps, and the losses and the state of the steps after these.

    All in one framework.
    """
    trainer(name).load_state(first_state())
    losses(name, BEFORE)
    middle = {key: array.copy() for key, array in trainer(name).state().items()}
    return middle, losses(name, AFTER), trainer(name).state()


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(TESTED, 2)))
def test_a_checkpoint_goes_on_in_another_framework(first, second, tmp_path):
    state, expected_losses, expected = history(first)
    Checkpoints(tmp_path).save_last(Checkpoint(state, {"framework": first}))
    trainer(second).load_state(Checkpoints(tmp_path).last(pytest.fail).arrays)
    np.testing.assert_allclose(losses(second, AFTER), expected_losses, rtol=1e-5)
    reached = trainer(second).state()
    assert reached.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_allclose(reached[key], array, rtol=1e-5, atol=1e-5, err_msg=key)


def test_a_state_that_is_off_by_little_is_found():
    state, expected, _ = history(TESTED[0])
    moved = {
        key: array * np.float32(1.1) if key.startswith("optimizer/") and array.ndim else array
        for key, array in state.items()
    }
    trainer(TESTED[0]).load_state(moved)
    assert not np.allclose(losses(TESTED[0], AFTER), expected, rtol=1e-5)
