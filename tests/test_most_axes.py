"""Values of more axes than a NumPy array can have, which some frameworks compute."""

import numpy as np
import pytest

from allotrope import load
from allotrope.errors import AllotropeError
from onnx_models import model, node, tensor


@pytest.mark.parametrize("axes", [65, 300])
def test_a_value_of_more_axes_than_an_array_can_have_is_named(framework, axes):
    reshaped = model(
        [node("Reshape", "x shape", "y")],
        [tensor("x", shape=[1])],
        arrays={"shape": np.ones(axes, np.int64)},
    )
    with pytest.raises(AllotropeError, match=str(axes)):
        load(reshaped).run({"x": np.ones(1, np.float32)}, framework=framework)
