"""The comparer of `check` against wrong answers that were planted.

Each is caught and its culprit named; right answers pass.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from agreeing import TOLERANCES, answers, computation_of, copied, expectations, network
from allotrope.frameworks import missing
from allotrope.measure.agreement.judge import judge

pytestmark = pytest.mark.skipif(
    missing("pytorch") is not None, reason="the true answers are PyTorch's"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("agreement")


@pytest.fixture(scope="module")
def expected(folder):
    return expectations(network(), folder)


@pytest.fixture(scope="module")
def true(expected, folder):
    return answers("pytorch", expected["float64"].computation, folder / "true")


@pytest.fixture(scope="module")
def others(expected, folder):
    """Answers of PyTorch to questions that are slightly wrong, by what is wrong with them."""
    computation = expected["float64"].computation
    asked = {
        "outputs": computation.outputs,
        "scale": computation.scale,
        "probes": computation.probes,
    }

    def wrong(name, made, **options):
        other = replace(computation_of(made, folder / name, "float64"), **asked)
        return answers("pytorch", other, folder / name / "answers", **options)

    for name in ("momentum", "untied", "step"):
        (folder / name).mkdir()
    return {
        "momentum": wrong("momentum", network(momentum=1 - 0.8)),
        "untied": wrong("untied", network(tied=False)),
        "step": wrong("step", network(), shift=1),
    }


# --- wrong answers: what is changed, in which part it shows, what is named


def sign(answer, others):
    answer.gradients["fc.weight"] *= -1


def transposed(answer, others):
    answer.gradients["shared"] = answer.gradients["shared"].T


def shifted(answer, others):
    answer.outputs["conv"] = np.roll(answer.outputs["conv"], 1, axis=-1)


def not_a_number(answer, others):
    answer.outputs["tanh"][1, 2, 0, 1] = math.nan


def infinite(answer, others):
    head = "head" if "head" in answer.outputs else "logits"
    answer.outputs[head][0, 0] = math.inf


def narrow_output(answer, others):
    answer.outputs["bn"] = answer.outputs["bn"].astype(np.float32)


def narrow_gradient(answer, others):
    answer.gradients["conv.weight"] = answer.gradients["conv.weight"].astype(np.float32)


def dropped_bias_gradient(answer, others):
    del answer.gradients["fc.bias"]


def constant_zero_gradient(answer, others):
    answer.gradients["bn.bias"][:] = 0


def untied(answer, others):
    answer.gradients["shared"] = others["untied"].gradients["shared"]


def half_of_the_batch(answer, others):
    answer.gradients["embedding"] /= 4


def extra_gradient(answer, others):
    answer.gradients["bn.running_mean"] = np.ones(8)


def wrong_momentum_sense(answer, others):
    answer.weights = others["momentum"].weights


def unbiased_variance(answer, others):
    count = 4 * 3 * 3
    for arrays in answer.weights.values():
        arrays["bn.running_var"] = 2.0 + (arrays["bn.running_var"] - 2.0) * count / (count - 1)


def stale_state(answer, others):
    for arrays in answer.weights.values():
        arrays["bn.running_mean"][:] = 0.5


def missing_output(answer, others):
    del answer.outputs["second"]


def extra_output(answer, others):
    answer.outputs["nonsense"] = np.zeros(3)


def swapped_outputs(answer, others):
    outputs = answer.outputs
    outputs["logits"], outputs["squares"] = outputs["squares"], outputs["logits"]


def slightly_larger(answer, others):
    answer.outputs["joined"] *= 1 + 1e-4


def one_element_off(answer, others):
    answer.outputs["pooled"][2, 5] += 1e-8


def spread(answer, others):
    answer.outputs["bent"] = np.broadcast_to(answer.outputs["bent"][:, None], (4, 1, 8)).copy()


def repeated(answer, others):
    answer.outputs["first"] = np.broadcast_to(answer.outputs["first"][:1], (4, 8)).copy()


def no_dropout(answer, others):
    answer.training_outputs["dropout"] = answer.training_outputs["tanh"]


def statistics_of_the_past(answer, others):
    answer.training_outputs["bn"] = answer.outputs["bn"]


def statistics_of_the_batch(answer, others):
    answer.outputs["bn"] = answer.training_outputs["bn"]


def sum_instead_of_mean(answer, others):
    answer.losses = [loss * 4 for loss in answer.losses]


def off_by_one_step(answer, others):
    answer.losses, answer.weights = others["step"].losses, others["step"].weights


def late_losses(answer, others):
    answer.losses = [answer.losses[0], *answer.losses[:-1]]


def loss_not_a_number(answer, others):
    answer.losses[3] = math.nan


def too_few_losses(answer, others):
    del answer.losses[-1]


def decay_forgotten(answer, others):
    for step, arrays in answer.weights.items():
        arrays["shared"] *= 1 + 0.05 * 5e-4 * step


def lost_weight(answer, others):
    for arrays in answer.weights.values():
        del arrays["embedding"]


def frozen_weight(answer, others):
    for arrays in answer.weights.values():
        arrays["conv.weight"] = answer.weights[1]["conv.weight"]


PLANTED = {
    sign: ("slopes", "gradient of 'fc.weight'"),
    transposed: ("slopes", "gradient of 'shared'"),
    shifted: ("outputs", "node 'conv' (Conv)"),
    not_a_number: ("outputs", "node 'tanh' (Tanh)"),
    infinite: ("outputs", "node 'head' (Gemm)"),
    narrow_output: ("outputs", "node 'bn' (BatchNormalization)"),
    narrow_gradient: ("gradients", "gradient of 'conv.weight'"),
    dropped_bias_gradient: ("slopes", "gradient of 'fc.bias'"),
    constant_zero_gradient: ("slopes", "gradient of 'bn.bias'"),
    untied: ("slopes", "gradient of 'shared'"),
    half_of_the_batch: ("slopes", "gradient of 'embedding'"),
    extra_gradient: ("gradients", "gradient of 'bn.running_mean'"),
    wrong_momentum_sense: ("first state", "step 1: state 'bn.running_mean'"),
    unbiased_variance: ("first state", "step 1: state 'bn.running_var'"),
    stale_state: ("first state", "step 1: state 'bn.running_mean'"),
    missing_output: ("outputs", "node 'second' (MatMul)"),
    extra_output: ("outputs", "value 'nonsense'"),
    swapped_outputs: ("outputs", "node 'head' (Gemm)"),
    slightly_larger: ("outputs", "node 'joined' (Add)"),
    one_element_off: ("outputs", "node 'pooled' (ReduceMean)"),
    spread: ("outputs", "node 'bent' (Tanh)"),
    repeated: ("outputs", "node 'first' (MatMul)"),
    no_dropout: ("training outputs", "node 'dropout' (Dropout)"),
    statistics_of_the_past: ("training outputs", "node 'bn' (BatchNormalization)"),
    statistics_of_the_batch: ("outputs", "node 'bn' (BatchNormalization)"),
    sum_instead_of_mean: ("first loss", "step 1: loss"),
    off_by_one_step: ("first loss", "step 1: loss"),
    late_losses: ("losses", "step 2: loss"),
    loss_not_a_number: ("losses", "step 4: loss"),
    too_few_losses: ("losses", "losses"),
    decay_forgotten: ("weights", "step 1: weight 'shared'"),
    lost_weight: ("weights", "step 1: weight 'embedding'"),
    frozen_weight: ("weights", "step 2: weight 'conv.weight'"),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_wrong_answer_is_caught_and_named(plant, true, others, expected):
    part, culprit = PLANTED[plant]
    wrong = copied(true, framework="planted")
    plant(wrong, others)
    right, judged = judge([true, wrong], expected)
    assert right.agrees
    assert not judged.agrees
    assert judged.parts[part].departures[0].culprit == culprit


BY_THE_REFERENCE = ("slopes", "outputs", "first state", "first loss")
CAUGHT_ALONE = [plant for plant, (part, _) in PLANTED.items() if part in BY_THE_REFERENCE]


@pytest.mark.parametrize("plant", CAUGHT_ALONE)
def test_it_is_caught_if_no_other_framework_is_there(plant, true, others, expected):
    wrong = copied(true)
    plant(wrong, others)
    (judged,) = judge([wrong], expected)
    assert judged.parts[PLANTED[plant][0]].departures[0].culprit == PLANTED[plant][1]


@pytest.mark.parametrize("plant", [sign, sum_instead_of_mean], ids=lambda plant: plant.__name__)
def test_the_first_framework_is_no_standard_if_it_is_wrong(plant, true, others, expected):
    """Others are held to the first that is right by the reference."""
    wrong = copied(true, framework="planted")
    plant(wrong, others)
    first, second = judge([wrong, true], expected)
    assert second.agrees
    assert not first.agrees


# --- right answers


def test_true_answers_agree(true, expected):
    (judged,) = judge([true], expected)
    assert judged.agrees
    by_loss = {"first loss", "first state"}
    assert set(judged.parts) == by_loss | {
        "outputs",
        "training outputs",
        "slopes",
        "training slopes",
    }
    assert all(part.compared and not part.left_out for part in judged.parts.values())


def test_rounding_is_no_departure(true, expected):
    rng = np.random.default_rng(0)
    noisy = copied(true, framework="noisy")
    groups = [noisy.outputs, noisy.training_outputs, noisy.gradients, *noisy.weights.values()]
    for arrays in groups:
        for name, array in arrays.items():
            if array.dtype == np.float64:
                arrays[name] = array * (1 + 1e-14 * rng.standard_normal(array.shape))
    noisy.losses = [loss * (1 + 1e-14) for loss in noisy.losses]
    _, judged = judge([true, noisy], expected)
    assert judged.agrees
    assert {"gradients", "losses", "weights", "state"} <= set(judged.parts)


def test_float32_agrees_and_its_dtypes_are_judged(true, expected, folder):
    narrow = answers("pytorch", expected["float32"].computation, folder / "float32")
    _, judged = judge([true, narrow], expected)
    assert judged.agrees
    assert judged.parts["outputs"].error > 1e-9
    gradients = {name: array.astype(np.float64) for name, array in narrow.gradients.items()}
    wide = replace(narrow, gradients=gradients)
    _, judged = judge([true, wide], expected)
    assert judged.parts["gradients"].departures[0].problem == "dtype float64 instead of float32"
    assert TOLERANCES["float32"].losses is None


# --- a batch of 1


@pytest.fixture(scope="module")
def with_single(true, expected, folder):
    """The true answers, with those of a batch of 1 in evaluation."""
    alone = answers("pytorch", expected["float64"].single.computation, folder / "single")
    return replace(true, single=replace(alone, training_outputs=None, losses=(), weights={}))


def test_a_batch_of_1_is_judged_by_outputs_gradients_and_slopes(with_single, expected):
    first, second = judge([with_single, replace(with_single, framework="other")], expected)
    assert first.agrees and second.agrees
    assert {"outputs, batch 1", "slopes, batch 1"} <= set(first.parts)
    assert second.parts["gradients, batch 1"].compared


def test_what_is_wrong_with_a_batch_of_1_alone_is_caught(with_single, expected):
    """As PyTorch's gradient of BatchNorm behind a transposed gradient was."""
    alone = with_single.single
    doubled = {**alone.gradients, "bn.bias": 2 * alone.gradients["bn.bias"]}
    wrong = replace(with_single, framework="planted", single=replace(alone, gradients=doubled))
    (alone,) = judge([wrong], expected)
    assert alone.parts["slopes, batch 1"].departures[0].culprit == "gradient of 'bn.bias'"
    right, judged = judge([with_single, wrong], expected)
    assert right.agrees
    assert judged.parts["gradients, batch 1"].departures[0].culprit == "gradient of 'bn.bias'"
    assert judged.parts["gradients"].agrees
    moved = {**with_single.single.outputs, "tanh": with_single.single.outputs["tanh"] + 1e-8}
    off = replace(with_single, single=replace(with_single.single, outputs=moved))
    (alone,) = judge([off], expected)
    assert alone.parts["outputs, batch 1"].departures[0].culprit == "node 'tanh' (Tanh)"
