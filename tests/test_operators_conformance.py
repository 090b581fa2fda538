"""Every case of ONNX's own backend suite that the wheel brings, in float32 as ONNX gives them, and gradients of a sample."""

import collections
import os

import numpy as np
import pytest

import conformance
from allotrope.errors import UnsupportedError
from allotrope.frameworks.widening import widened

WANTED = [name for name in os.environ.get("ALLOTROPE_TEST_FRAMEWORKS", "").split(",") if name]
LEAST = {"reference": 1909, "pytorch": 1823}
"""Cases that must be equal, of 2,024."""


@pytest.fixture(params=[name for name in LEAST if not WANTED or name in WANTED])
def framework(request):
    return request.param


@pytest.mark.filterwarnings("ignore")
def test_every_case_is_equal_or_a_known_gap(framework, capsys):
    results, gaps = conformance.outcomes(framework), conformance.known_gaps(framework)
    counts = collections.Counter(kind for kind, _ in results.values())
    with capsys.disabled():
        print(f"\n{framework}: {dict(counts)} of {len(results)} cases; {len(gaps)} known gaps, {len(set(gaps.values()))} reasons")
    refused = {name for name, (kind, _) in results.items() if kind == "refused"}
    assert not {name: result for name, result in results.items() if result[0] in ("wrong", "crashed")}
    assert not refused - gaps.keys(), "refused, but not listed in known_gaps"
    assert not gaps.keys() - refused, "listed in known_gaps, but not refused"
    assert counts["equal"] >= LEAST[framework]


def outputs_along(network, inputs, directions, seeds, step):
    moved = network.run({n: a + step * directions[n] if n in directions else a for n, a in inputs.items()}, framework="pytorch")
    return sum(float((moved[name] * seed).sum()) for name, seed in seeds.items())


def gradient_outcome(network, inputs, rng):
    """Whether the vector-Jacobian product agrees with differences to both sides along one direction; kink where these differ."""
    seeds = {n: rng.standard_normal(y.shape) for n, y in network.run(inputs, framework="pytorch").items() if y.dtype == np.float64}
    directions = {n: rng.standard_normal(a.shape) for n, a in inputs.items() if a.dtype == np.float64 and a.size}
    if not seeds or not directions:
        return "not float"
    try:
        gradients = network.gradients(inputs, seeds, framework="pytorch")
    except UnsupportedError:
        return "refused"
    low, middle, high = (outputs_along(network, inputs, directions, seeds, step) for step in (-1e-6, 0, 1e-6))
    left, right = (middle - low) / 1e-6, (high - middle) / 1e-6
    if not np.isclose(left, right, rtol=1e-3, atol=1e-3):
        return "kink"
    found = sum(float((gradients[n] * d).sum()) for n, d in directions.items())
    return "equal" if np.isclose(found, (left + right) / 2, rtol=1e-3, atol=1e-4) else "wrong"


SAMPLE = (
    "test_attention_4d_gqa_with_past_and_present", "test_attention_23_boolmask_fullymasked_row_nan_robustness", "test_attention_4d_softcap",
    "test_attention_4d_with_qk_matmul_bias", "test_averagepool_2d_ceil", "test_basic_conv_with_padding", "test_batchnorm_example",
    "test_batchnorm_epsilon_training_mode", "test_col2im_pads", "test_convtranspose", "test_cumsum_1d_reverse_exclusive",
    "test_deform_conv_with_mask_bias", "test_det_nd", "test_dft_irfft", "test_einsum_batch_matmul", "test_gather_elements_1",
    "test_gemm_all_attributes", "test_gridsample_bicubic", "test_gridsample_border_padding", "test_gridsample_reflection_padding",
    "test_group_normalization_example", "test_gru_seq_length", "test_gru_bidirectional", "test_instancenorm_example",
    "test_layer_normalization_4d_axis1", "test_lpnormalization_default", "test_lrn", "test_lstm_with_peepholes", "test_lstm_bidirectional",
    "test_maxpool_2d_pads", "test_mean_example", "test_nllloss_NCd1_weight", "test_prelu_broadcast",
    "test_reduce_log_sum_exp_keepdims_random",
    "test_reflect_pad", "test_resize_downsample_sizes_cubic", "test_rms_normalization_4d_axis1", "test_rnn_seq_length",
    "test_roialign_aligned_true", "test_scatter_elements_with_axis", "test_sce_mean", "test_scan9_sum", "test_softmax_axis_1",
    "test_stft_with_window", "test_top_k", "test_tril", "test_where_example",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_gradients_agree_with_finite_differences(capsys):
    counts = collections.Counter()
    for name in SAMPLE:
        network = widened(conformance.network(name))
        arrays = [conformance.array(value) for value in conformance.cases()[name].data_sets[0][0]]
        inputs = {v.name: a.astype(v.dtype) for v, a in zip(network.inputs, arrays, strict=False)}
        result = gradient_outcome(network, inputs, np.random.default_rng(0))
        assert result != "wrong", name
        counts[result] += 1
    with capsys.disabled():
        print(f"\ngradients of {len(SAMPLE)} cases against finite differences: {dict(counts)}")
    assert counts["equal"] >= 35


def test_gradient_check_finds_planted_errors():
    network = widened(conformance.network("test_gemm_all_attributes"))
    arrays = [conformance.array(value) for value in conformance.cases()["test_gemm_all_attributes"].data_sets[0][0]]
    inputs = {v.name: a.astype(np.float64) for v, a in zip(network.inputs, arrays, strict=True)}

    class Planted:
        run = staticmethod(network.run)

        @staticmethod
        def gradients(*arguments, **options):
            return {name: 1.01 * g for name, g in network.gradients(*arguments, **options).items()}

    assert gradient_outcome(network, inputs, np.random.default_rng(0)) == "equal"
    assert gradient_outcome(Planted, inputs, np.random.default_rng(0)) == "wrong"
