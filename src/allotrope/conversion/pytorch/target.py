"""A network as the source of a `torch.nn.Module`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.conversion.core.blocks import BlockStyle, all_written, with_blocks
from allotrope.conversion.core.describe import ends, title
from allotrope.conversion.core.layers import SHOWN, Layers
from allotrope.conversion.core.source import (
    Expression,
    call,
    flat,
    identifier,
    listing,
    literal,
    quoted,
    spread,
)
from allotrope.conversion.core.sources import Sources, note, operators_source, translated
from allotrope.conversion.core.statement import Rule, Statement
from allotrope.conversion.core.translation import Translation
from allotrope.conversion.pytorch.layers import LAYERS
from allotrope.conversion.pytorch.recurrent import RECURRENT
from allotrope.conversion.pytorch.site import PyTorchSite, dtype_name
from allotrope.conversion.pytorch.weightless import FUNCTIONS
from allotrope.network.network import Network

RULES: dict[str, Rule] = {**FUNCTIONS, **LAYERS, **RECURRENT}
RESERVED = frozenset(
    {
        "block",
        "self",
        "torch",
        "nn",
        "np",
        "operators",
        "F",
        "load",
        "Network",
        "Path",
        "WEIGHTS",
        "load_file",
    }
)
ATTRIBUTES = frozenset(
    """
    T_destination add_module append apply bfloat16 buffers call_super_init children clear compile
    cpu cuda double dump_patches eval extend extra_repr float forward get_buffer get_extra_state
    get_parameter get_submodule half insert ipu items keys load_state_dict modules mtia
    named_buffers named_children named_modules named_parameters parameters pop
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty
    train training type update values xpu zero_grad
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""Attributes of nn.Module, nn.ModuleList and nn.ModuleDict, which no submodule may be called after.
"""

STYLE = BlockStyle(
    argument="",
    initialize=("    def __init__(self) -> None:", "        super().__init__()"),
    call="    def forward(self, {}: torch.Tensor) -> torch.Tensor:",
)

BATCH_NORM = """
    BatchNorm: `momentum` is 1 - ONNX's. In training PyTorch keeps the unbiased variance
    of a batch, n / (n - 1) of the population's, which ONNX keeps.
"""


class PyTorchLayers(Layers):
    """Submodules of `torch.nn`."""

    target = "PyTorch"
    reserved = ATTRIBUTES
    containers = ("nn.ModuleList(", "nn.ModuleDict(", "nn.Module()")
    numbered = ("self.add_module(", (), 'self.get_submodule("{}")')

    def parameter_made(self, array: np.ndarray, trainable: bool) -> Expression:
        """An `nn.Parameter` that the file of weights fills."""
        dtype = None
        if array.dtype != np.float32:
            dtype = dtype_name(array.dtype)
        if trainable:
            options = {}
        else:
            options = {"requires_grad": False}
        return call(
            "nn.Parameter", flat(call("torch.empty", literal(array.shape), dtype=dtype)), **options
        )

    def buffer_declared(self, name: str, array: np.ndarray) -> tuple[str, Expression]:
        """A buffer with its values, or one that the file of weights fills."""
        dtype = None
        if not (array.size and array.dtype in (np.float32, np.int64, np.bool_)):
            dtype = dtype_name(array.dtype)
        # Large constants belong into the file of weights, not into the source.
        if array.size > SHOWN:
            return "", call(
                "self.register_buffer",
                f'"{name}"',
                call("torch.empty", array.shape, dtype=dtype or dtype_name(array.dtype)),
            )
        values: Any = array.tolist()
        if array.dtype == np.float32:
            values = _numbers(array)
        made = call("torch.tensor", values, dtype=dtype)
        return "", call("self.register_buffer", f'"{name}"', made, persistent=False)


def _numbers(array: np.ndarray) -> str:
    return literal(array.astype(np.float64).tolist())


def pytorch_source(network: Network) -> Sources:
    """The sources, and the arrays of the model's `state_dict`.

    Raises: UnsupportedError that lists every node without a meaning.
    """
    translation = translated(
        lambda spells, layers: Translation(
            network, RULES, layers, PyTorchSite, RESERVED, spells=spells
        ),
        partial(PyTorchLayers, network),
    )
    layers = translation.layers
    statements, blocks = with_blocks(
        translation.statements(), ", ".join(translation.outputs), layers, STYLE
    )
    classes = [line for block in blocks for line in block.source("nn.Module")]
    body = [
        *classes,
        *_class(network, layers, classes),
        "",
        *_forward(translation, statements),
        "",
        "",
        *LOADER,
    ]
    model = "\n".join([*_head(network), *_imports(body), "", "", *body]) + "\n"
    operators = operators_source("pytorch", "PyTorch", translation.spelled)
    files = {"model.py": model}
    if operators:
        files["operators.py"] = operators
    return Sources(files, _state(layers), note("PyTorch", translation.spelled, operators, STEERED))


MODULES = {
    "np": "numpy as np",
    "operators": "operators",
    "torch": "torch",
    "F": "torch.nn.functional as F",
}
STEERED = "Some look at values, so that `torch.compile` breaks the graph there."
WEIGHTS = 'WEIGHTS = Path(__file__).with_name("weights.safetensors")'
LOADER = '''
def load(path: Path = WEIGHTS) -> Network:
    """The network with its weights, for inference; call `.train()` to train it."""
    model = Network()
    model.load_state_dict(load_file(path))
    return model.eval()
'''.strip().splitlines()


def _imports(body: Sequence[str]) -> list[str]:
    modules = [
        f"import {module}"
        for start, module in MODULES.items()
        if any(re.search(rf"\b{start}\.", line) for line in body)
    ]
    return [
        "",
        "from pathlib import Path",
        "",
        *modules,
        "from safetensors.torch import load_file",
        "from torch import nn",
        "",
        WEIGHTS,
    ]


def _head(network: Network) -> list[str]:
    return [f'"""{title(network)} in PyTorch."""']


def _class(network: Network, layers: PyTorchLayers, blocks: Sequence[str]) -> Iterator[str]:
    yield "class Network(nn.Module):"
    declared = list(layers.declarations())
    noted = any("nn.BatchNorm" in text for text in (*blocks, *(flat(made) for _, made in declared)))
    summary = f"{ends(network.inputs)} -> {ends(network.outputs)}."
    if noted:
        yield f'    """{summary}'
        yield from BATCH_NORM.rstrip().splitlines()
        yield '    """'
    else:
        yield f'    """{summary}"""'
    yield ""
    yield from STYLE.initialize
    for before, made in declared:
        yield from spread(before, made, 8)
    if layers.frozen:
        yield "        # These do not learn."
        names = listing(quoted(name) for name in layers.frozen)
        lines = spread("for name in ", names, 8, ":")
        yield from lines
        yield "            self.get_parameter(name).requires_grad_(False)"


def _forward(translation: Translation, statements: Sequence[Statement]) -> Iterator[str]:
    layers = translation.layers
    inputs = ", ".join(f"{name}: torch.Tensor" for name in translation.inputs)
    if len(translation.outputs) == 1:
        result = "torch.Tensor"
    else:
        result = f"tuple[{', '.join(['torch.Tensor'] * len(translation.outputs))}]"
    yield f"    def forward(self, {inputs}) -> {result}:"
    yield from all_written(statements, layers)
    outputs = layers.resolved(", ".join(translation.outputs))
    yield f"        return {flat(outputs)}"


def _state(layers: PyTorchLayers) -> dict[str, np.ndarray]:
    """The arrays by their keys in `state_dict`; BatchNorm has a counter there too."""
    counters = {
        home.removesuffix("running_mean") + "num_batches_tracked"
        for home in layers.arrays
        if home.endswith(".running_mean")
    }
    return {**layers.arrays, **{name: np.zeros((), np.int64) for name in sorted(counters)}}


README = """\
# {name} in PyTorch

`model.py` is the network, `weights.safetensors` its weights. It needs torch and safetensors.

```python
from model import load

model = load()  # ready to infer; model.train() before training
{outputs} = model({inputs})
```

{ends}

The keys of `model.state_dict()` are the names of the weights in the ONNX file wherever a layer can
carry them.
"""


def write(network: Network, folder: Path) -> None:
    """Writes the files of the folder.

    Raises: UnsupportedError that lists every node without an ordinary form.
    """
    from safetensors.numpy import save_file

    sources = pytorch_source(network)
    save_file(
        {name: np.ascontiguousarray(array) for name, array in sources.arrays.items()},
        folder / "weights.safetensors",
    )
    sources.write(folder, _readme(network))


def _readme(network: Network) -> str:
    inputs, outputs = (
        ", ".join(identifier(value.name) for value in values)
        for values in (network.inputs, network.outputs)
    )
    taken_and_made = f"Takes {ends(network.inputs)}; gives {ends(network.outputs)}."
    return README.format(name=title(network), inputs=inputs, outputs=outputs, ends=taken_and_made)
