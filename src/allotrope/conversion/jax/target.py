"""A network as the source of a `flax.nnx.Module`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from allotrope.conversion.core.blocks import BlockStyle, all_written, with_blocks
from allotrope.conversion.core.describe import ends, title
from allotrope.conversion.core.source import flat, identifier, spread
from allotrope.conversion.core.sources import Sources, note, operators_source, translated
from allotrope.conversion.core.statement import Rule, Statement
from allotrope.conversion.core.translation import Translation
from allotrope.conversion.jax.layers import LAYERS
from allotrope.conversion.jax.recurrent import FUNCTIONS as RECURRENT_FUNCTIONS
from allotrope.conversion.jax.recurrent import RECURRENT
from allotrope.conversion.jax.site import JaxLayers, JaxSite
from allotrope.conversion.jax.weightless import FUNCTIONS
from allotrope.network.network import Network

RULES: dict[str, Rule] = {**FUNCTIONS, **LAYERS, **RECURRENT}
RESERVED = frozenset(
    """
    block gru jax jnp load load_file lstm nnx np operators reduce rnn rngs Network Path WEIGHTS
    """.split()  # noqa: SIM905 - a list would take a line a word
)
MODULES = {"jnp": "jax.numpy as jnp", "np": "numpy as np", "operators": "operators"}
STEERED = (
    "Some look at values, which `jax.jit` does not know yet: there the model can only be called "
    "as it is, or with these values fixed."
)
WEIGHTS = 'WEIGHTS = Path(__file__).with_name("weights.safetensors")'
STYLE = BlockStyle(
    argument="rngs",
    initialize=("    def __init__(self, rngs: nnx.Rngs) -> None:",),
    call="    def __call__(self, {}: jax.Array) -> jax.Array:",
)
LOADER = '''
def load(path: Path = WEIGHTS) -> Network:
    """The network with its weights, for inference; call `.train()` to train it."""
    # A new network's random weights are not computed: the file's replace them.
    model = nnx.eval_shape(lambda: Network(nnx.Rngs(0)))
    nnx.reseed(model, default=0)
    for name, array in load_file(path).items():
        reduce(getattr, name.split("."), model).set_value(array)
    model.eval()
    return model
'''.strip().splitlines()

README = """\
# {name} in JAX

`model.py` is the network in flax.nnx, `weights.safetensors` its weights.
It needs jax, flax and safetensors.

```python
from model import load

model = load()  # ready to infer; model.train() before training
{outputs} = model({inputs})
```

Takes {inputs_described}; gives {outputs_described}.

Modules are called as their weights are in the ONNX file.
flax convolves with channels last: weights are in its order of axes.
`nnx.Param` are what learns; what was frozen in the file is a plain `nnx.Variable`.
"""


def jax_source(network: Network) -> Sources:
    """The sources, and the arrays of the model's variables by their paths.

    Raises: UnsupportedError that lists every node without a meaning.
    """
    translation = translated(
        lambda spells, layers: Translation(
            network, RULES, layers, JaxSite, RESERVED, spells=spells
        ),
        partial(JaxLayers, network),
    )
    layers = translation.layers
    statements, blocks = with_blocks(
        translation.statements(), ", ".join(translation.outputs), layers, STYLE
    )
    classes = [line for block in blocks for line in block.source("nnx.Module")]
    body = [
        *classes,
        *_class(network, layers),
        "",
        *_call(translation, statements),
        "",
        "",
        *LOADER,
    ]
    called = [
        text
        for name, text in RECURRENT_FUNCTIONS.items()
        if any(f"= {name}(" in line for line in body)
    ]
    # Only the recurrent layers that the network has are written.
    functions = [line for text in called for line in _apart(text)]
    head = [f'"""{title(network)} in JAX."""', *_imports([*functions, *body]), "", ""]
    operators = operators_source("jax", "JAX", translation.spelled)
    files = {"model.py": "\n".join([*head, *functions, *body]) + "\n"}
    if operators:
        files["operators.py"] = operators
    return Sources(files, layers.arrays, note("JAX", translation.spelled, operators, STEERED))


def _apart(text: str) -> list[str]:
    return [*text.strip().splitlines(), "", ""]


def _imports(body: Sequence[str]) -> list[str]:
    needed = [
        f"import {module}"
        for start, module in MODULES.items()
        if any(re.search(rf"\b{start}\.", line) for line in body)
    ]
    modules = ["from flax import nnx", "from safetensors.flax import load_file"]
    return [
        "",
        "from functools import reduce",
        "from pathlib import Path",
        "",
        "import jax",
        *needed,
        *modules,
        "",
        WEIGHTS,
    ]


def _class(network: Network, layers: JaxLayers) -> Iterator[str]:
    yield "class Network(nnx.Module):"
    yield f'    """{ends(network.inputs)} -> {ends(network.outputs)}."""'
    yield ""
    yield from STYLE.initialize
    declared = list(layers.declarations())
    for before, made in declared:
        yield from spread(before, made, 8)
    if layers.frozen:
        yield "        # These do not learn: they are no nnx.Param."
    for home in layers.frozen:
        source = layers.access(home)
        yield from spread(f"{source} = ", layers.resolved(_variable(source)), 8)
    if not declared:
        yield "        pass"


def _variable(source: str) -> str:
    return f"nnx.Variable({source}[...])"


def _call(translation: Translation, statements: Sequence[Statement]) -> Iterator[str]:
    layers = translation.layers
    inputs = ", ".join(f"{name}: jax.Array" for name in translation.inputs)
    if len(translation.outputs) == 1:
        result = "jax.Array"
    else:
        result = f"tuple[{', '.join(['jax.Array'] * len(translation.outputs))}]"
    yield f"    def __call__(self, {inputs}) -> {result}:"
    yield from all_written(statements, layers)
    yield f"        return {flat(layers.resolved(', '.join(translation.outputs)))}"


def write(network: Network, folder: Path) -> None:
    """Writes the files of the folder.

    Raises: UnsupportedError that lists every node without an ordinary form.
    """
    from safetensors.numpy import save_file

    sources = jax_source(network)
    save_file(
        {name: np.ascontiguousarray(array) for name, array in sources.arrays.items()},
        folder / "weights.safetensors",
    )
    inputs, outputs = (
        ", ".join(identifier(value.name) for value in values)
        for values in (network.inputs, network.outputs)
    )
    described = {
        "inputs_described": ends(network.inputs),
        "outputs_described": ends(network.outputs),
    }
    readme = README.format(name=title(network), inputs=inputs, outputs=outputs, **described)
    sources.write(folder, readme)
