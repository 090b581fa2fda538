"""Products of float32 are rounded to TensorFloat-32 where that was asked for, and nowhere else."""

import pytest

from allotrope.config import Settings
from allotrope.frameworks.precisions import precisions


def of_pytorch():
    torch = pytest.importorskip("torch")
    from allotrope.frameworks.pytorch.product_precision import products

    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    return products, lambda: {kind.fp32_precision for kind in kinds}, {"tf32"}, {"ieee"}


def of_tensorflow():
    pytest.importorskip("tensorflow")
    from allotrope.frameworks.tensorflow.importing import tf
    from allotrope.frameworks.tensorflow.product_precision import products

    return products, tf.config.experimental.tensor_float_32_execution_enabled, True, False


def of_jax():
    jax = pytest.importorskip("jax")
    from allotrope.frameworks.jax.product_precision import products

    def on_a_gpu(precision):
        return products(precision, "gpu")

    return on_a_gpu, lambda: jax.config.jax_default_matmul_precision, "tensorfloat32", "highest"


@pytest.fixture(params=[of_pytorch, of_tensorflow, of_jax])
def kind(request):
    return request.param()


def test_each_precision_is_what_it_says_and_is_left_behind(kind):
    products, rounding, rounded, exact = kind
    before = rounding()
    for precision, expected in (
        ("tensorfloat32", rounded),
        ("float32", exact),
        ("bfloat16", exact),
    ):
        with products(precision):
            assert rounding() == expected
        assert rounding() == before


def test_it_is_left_behind_by_an_error_too(kind):
    products, rounding, _, _ = kind
    before = rounding()
    with pytest.raises(RuntimeError, match="in the middle"), products("tensorfloat32"):
        raise RuntimeError("in the middle")
    assert rounding() == before


def test_jax_on_a_cpu_is_left_alone():
    jax = pytest.importorskip("jax")
    from allotrope.frameworks.jax.product_precision import products

    before = jax.config.jax_default_matmul_precision
    with products("float32", "cpu"):
        assert jax.config.jax_default_matmul_precision == before


def test_only_cuda_devices_have_it():
    assert "tensorfloat32" in precisions("cuda")
    for device in ("cpu", "mps", "tpu"):
        assert precisions(device) == ("float32", "bfloat16")
    assert precisions("cuda")[0] == Settings().precision
