"""A network as a Keras model of standard layers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from allotrope.conversion.core.describe import ends, title
from allotrope.conversion.core.layers import MARK
from allotrope.conversion.core.proof import run_alone
from allotrope.conversion.core.source import Expression, Group, call, flat, identifier, spread
from allotrope.conversion.core.statement import Rule
from allotrope.conversion.core.translation import Translation
from allotrope.conversion.keras.layers import LAYERS
from allotrope.conversion.keras.recurrent import RECURRENT
from allotrope.conversion.keras.site import KerasLayers, KerasSite
from allotrope.conversion.keras.subclass import write_subclass
from allotrope.conversion.keras.weightless import FUNCTIONS
from allotrope.errors import UnsupportedError
from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network

RULES: dict[str, Rule] = {**FUNCTIONS, **LAYERS, **RECURRENT}
RESERVED = frozenset({"build", "first_index", "keras", "layers", "np", "ops"})
INDEX = "# One place for each weight that no layer has: the row of an Embedding."

README = """\
# {name} in Keras

`model.keras` holds standard layers only; `model.py` is the source that made them.

```python
import keras

model = keras.saving.load_model("model.keras")
{outputs} = model({inputs})  # model.fit to train it further
```

Takes {inputs_described}; gives {outputs_described}.

Layers are called as their weights are in the ONNX file.
Keras convolves with channels last: weights are in its order of axes.
"""


def keras_source(network: Network) -> tuple[str, KerasLayers]:
    """The source of a function `build`, and the layers that it makes.

    Raises: UnsupportedError that lists every node without an ordinary form.
    """
    layers = KerasLayers(network)
    translation = Translation(network, RULES, layers, KerasSite, RESERVED)
    body = list(_build(translation))
    fixed = [
        value.name
        for value, source in zip(network.outputs, translation.outputs, strict=True)
        if not source.isidentifier()
    ]
    if fixed:
        raise UnsupportedError(
            "a Keras model computes its outputs from its inputs, and these are known before: "
            f"{', '.join(fixed)}."
        )
    # Only what the body uses is imported.
    used = ", ".join(name for name in ("layers", "ops") if any(f"{name}." in line for line in body))
    numpy = ["import numpy as np"] * any("np." in line for line in body)
    imports = ["import keras", *numpy, *[f"from keras import {used}"] * bool(used)]
    return "\n".join(
        [f'"""{title(network)} in Keras."""', "", *imports, "", "", *body]
    ) + "\n", layers


def _build(translation: Translation) -> Iterator[str]:
    network, layers = translation.network, translation.layers
    yield "def build() -> keras.Model:"
    yield f'    """{ends(network.inputs)} -> {ends(network.outputs)}."""'
    for name, value in zip(translation.inputs, network.inputs, strict=True):
        yield from spread(f"{name} = ", _input(value), 4)
    if layers.needs_index:
        yield f"    {INDEX}"
        first = f"ops.take(ops.ravel({translation.inputs[0]}), [0])"
        yield f'    first_index = ops.zeros_like({first}, dtype="int32")'
    names = {name: identifier(f"{name}_layer") for name, uses in layers.uses.items() if uses > 1}
    for name, variable in names.items():
        yield from spread(f"{variable} = ", layers.made[name], 4)
    for statement in translation.statements():
        yield from spread(
            f"{', '.join(statement.targets)} = ", _resolved(statement.value, layers, names), 4
        )
    yield f"    return keras.Model({_listed(translation.inputs)}, {_listed(translation.outputs)})"


def _listed(names: Sequence[str]) -> str:
    """One name by itself, several as a list."""
    if len(names) == 1:
        return names[0]
    return f"[{', '.join(names)}]"


def _known(length: Dimension) -> int | None:
    """A length as Keras takes it, which has no names for those that are free."""
    if isinstance(length, int):
        return length
    return None


def _input(value: Value) -> Expression:
    shape = list(map(_known, value.shape or ()))
    name, dtype = f'"{identifier(value.name)}"', f'"{value.dtype.name}"'
    if shape and shape[0] is None:
        return call("keras.Input", tuple(shape[1:]), dtype=dtype, name=name)
    return call("keras.Input", batch_shape=tuple(shape), dtype=dtype, name=name)


def _resolved(expression: Expression, layers: KerasLayers, names: dict[str, str]) -> Expression:
    """The expression with each layer made where it is called, or by its variable if shared."""

    def source(path: str) -> str:
        return names.get(path) or flat(layers.made[path])

    if isinstance(expression, str):
        return MARK.sub(lambda mark: source(mark.group(1)), expression)
    parts = tuple((before, _resolved(part, layers, names)) for before, part in expression.parts)
    called = MARK.fullmatch(expression.opening.removesuffix("("))
    if called and called.group(1) not in names:
        made = layers.made[called.group(1)]
        return Group(made.opening, made.parts, f")({flat(Group('', parts, ''))})")
    return Group(
        MARK.sub(lambda mark: source(mark.group(1)), expression.opening), parts, expression.closing
    )


def write(network: Network, folder: Path) -> None:
    """Writes the files of the folder.

    Raises: UnsupportedError that lists every node without a meaning.
    """
    try:
        _write_functional(network, folder)
    except UnsupportedError:
        # A layer's call that Keras cannot trace with free lengths shows only there.
        write_subclass(network, RULES, "Keras", folder, readme)


def _write_functional(network: Network, folder: Path) -> None:
    source, layers = keras_source(network)
    (folder / "model.py").write_text(source, encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(Path(scratch) / "weights.npz", **layers.arrays)  # type: ignore[arg-type]
        run_alone(
            Path(__file__).with_name("make_model.py"),
            str(folder),
            str(Path(scratch) / "weights.npz"),
        )
    (folder / "README.md").write_text(readme(README, network), encoding="utf-8")


def readme(text: str, network: Network, **others: str) -> str:
    """The README with names and shapes filled in."""
    inputs, outputs = (
        [identifier(value.name) for value in values] for values in (network.inputs, network.outputs)
    )
    return text.format(
        name=title(network),
        inputs=_listed(inputs),
        outputs=", ".join(outputs),
        inputs_described=ends(network.inputs),
        outputs_described=ends(network.outputs),
        **others,
    )
