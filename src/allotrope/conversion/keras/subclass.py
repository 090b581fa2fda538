"""A network as the source of a subclass of `keras.Model`: lines instead of a graph of layers.

So operators can be spelled out.

TensorFlow's folders have the same: a `keras.Model` is its own kind of model.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.conversion.core.blocks import all_written
from allotrope.conversion.core.describe import ends, title
from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.layers import MARK, SHOWN, NoForm
from allotrope.conversion.core.proof import run_alone
from allotrope.conversion.core.source import (
    Expression,
    Group,
    call,
    flat,
    identifier,
    literal,
    spread,
)
from allotrope.conversion.core.sources import Sources, note, operators_source, spelled
from allotrope.conversion.core.statement import Rule
from allotrope.conversion.core.translation import Translation
from allotrope.conversion.keras.site import KerasLayers, KerasSite
from allotrope.network.network import Network

RESERVED = frozenset(
    {
        "inputs",
        "keras",
        "layers",
        "load",
        "np",
        "operators",
        "ops",
        "self",
        "training",
        "Network",
        "Path",
        "WEIGHTS",
    }
)
ATTRIBUTES = frozenset(
    """
    activity_regularizer add_loss add_metric add_variable add_weight autocast build
    build_from_config built call compile compile_from_config compiled compute_dtype compute_loss
    compute_loss_and_updates compute_mask compute_metrics compute_output_shape
    compute_output_spec count_params distribute_reduce_method distribute_strategy dtype
    dtype_policy evaluate export fit from_config get_build_config get_compile_config get_config
    get_layer get_metrics_result get_quantization_layer_structure get_state_tree get_weights
    input input_dtype input_spec jit_compile layers load_own_variables load_weights loss losses
    make_predict_function make_test_function make_train_function metrics metrics_names
    metrics_variables name non_trainable_variables non_trainable_weights optimizer output path
    predict predict_function predict_on_batch predict_step quantization_mode quantize
    quantized_build quantized_call rematerialized_call reset_metrics run_eagerly save
    save_own_variables save_weights set_state_tree set_weights stateless_call
    stateless_compute_loss steps_per_execution stop_evaluating stop_predicting stop_training
    summary supports_jit supports_masking symbolic_call test_function test_on_batch test_step
    to_json train_function train_on_batch train_step trainable trainable_variables
    trainable_weights variable_dtype variables weights
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""Attributes of keras.Model, which no layer may be called after."""
HEAD = """
WEIGHTS = Path(__file__).with_name("model.weights.h5")
"""
LOADER = '''
    def compile(self, *arguments, run_eagerly: bool = True, **options) -> None:
        """As Keras has it, but operation by operation: these operators need known lengths."""
        super().compile(*arguments, run_eagerly=run_eagerly, **options)


def load(path: Path = WEIGHTS) -> Network:
    """The network with its weights."""
    model = Network()
    model.load_weights(path)
    return model
'''
README = """\
# {name} in {target}

`model.py` is the network as a `keras.Model`, `model.weights.h5` its weights.
It needs keras and tensorflow, its engine here.

```python
from model import load

model = load()
# model(…, training=True) in a training step of your own; or model.compile(…) and model.fit
{outputs} = model({inputs})
```

Takes {inputs_described}; gives {outputs_described}.

Layers and variables are called as their weights are in the ONNX file.
Keras convolves with channels last: weights are in its order of axes.
`model.compile` runs operation by operation. With `run_eagerly=False` every length must be known
when TensorFlow traces the model, the batch too: as in `dataset.batch(32, drop_remainder=True)`.
"""
STEERED = (
    "Some look at values, which a `tf.function` does not know yet: such a model only runs eagerly."
)


class SubclassLayers(KerasLayers):
    """The layers, and weights that no layer has, as attributes of the model."""

    tables = (*KerasLayers.tables, "variables")

    def __init__(self, network: Network, apart: frozenset[str] = frozenset()) -> None:
        super().__init__(network, apart)
        self.variables: dict[str, tuple[np.ndarray, bool]] = {}

    def buffer(self, name: str, array: np.ndarray) -> str:
        """A constant as an array; a large one is a weight that does not learn."""
        if array.size > 4 * SHOWN:
            return self.parameter(name, array, trainable=False)
        return super().buffer(name, array)

    def parameter(self, name: str, array: np.ndarray, *, trainable: bool) -> str:
        """A weight that no layer has, as a variable of the model."""
        home, form = self._homes.get(name, (None, None))
        if home is not None and form != "variable":
            self.contested.add(name)
            raise NoForm(f"its weight '{name}' belongs to layer '{home}' too")
        if home is None:
            home = self._name(name, [f"{name}.weight"])
            self._homes[name] = (home, "variable")
            # So that no layer takes the name.
            self.made[home] = call("", ())
            self.variables[home] = (array, trainable)
        return f"«{home}».value"

    def attributes(self) -> dict[str, str]:
        """The attribute of each layer and variable, by its name."""
        taken: set[str] = set()
        attributes: dict[str, str] = {}
        for name in self.made:
            attributes[name] = identifier(name, taken | ATTRIBUTES)
            taken.add(attributes[name])
        return attributes

    def resolved(self, expression: Expression, above: str = "") -> Expression:
        """The expression with attributes in the place of names."""
        attributes = self.attributes()
        return _resolved(
            expression, {name: f"self.{attribute}" for name, attribute in attributes.items()}
        )


def _resolved(expression: Expression, sources: dict[str, str]) -> Expression:
    def source(text: str) -> str:
        return MARK.sub(lambda mark: sources[mark.group(1)], text)

    if isinstance(expression, str):
        return source(expression)
    parts = tuple((before, _resolved(part, sources)) for before, part in expression.parts)
    return Group(source(expression.opening), parts, expression.closing)


def subclass_source(network: Network, rules: dict[str, Rule], target: str) -> Sources:
    """The sources and arrays. Raises: UnsupportedError that lists every node without a meaning."""
    translation = spelled(
        lambda spells, layers: Translation(
            network, rules, layers, KerasSite, RESERVED, spells=spells
        ),
        partial(SubclassLayers, network),
    )
    layers = translation.layers
    body = [*_class(network, layers), "", *_call(translation), *LOADER.rstrip().splitlines()]
    model = (
        "\n".join(
            [
                f'"""{title(network)} in {target}."""',
                "",
                *_imports(body),
                *HEAD.rstrip().splitlines(),
                "",
                "",
                *body,
            ]
        )
        + "\n"
    )
    operators = operators_source("keras", target, translation.spelled)
    files = {"model.py": model}
    if operators:
        files["operators.py"] = operators
    return Sources(files, _arrays(layers), note(target, translation.spelled, operators, STEERED))


def _imports(body: list[str]) -> Iterator[str]:
    yield from ("from pathlib import Path", "", "import keras")
    for start, line in {"np": "import numpy as np", "operators": "import operators"}.items():
        if any(re.search(rf"\b{start}\.", text) for text in body):
            yield line
    used = ", ".join(
        name
        for name in ("layers", "ops")
        if any(re.search(rf"(?<![.\w]){name}\.", text) for text in body)
    )
    yield from [f"from keras import {used}"] * bool(used)


def _class(network: Network, layers: SubclassLayers) -> Iterator[str]:
    yield "class Network(keras.Model):"
    yield f'    """{ends(network.inputs)} -> {ends(network.outputs)}."""'
    yield ""
    yield "    def __init__(self) -> None:"
    yield "        super().__init__(autocast=False)"
    yield "        self.run_eagerly = True"
    # Layers are built before they are called, so that the file of weights finds all of them.
    for name, attribute in layers.attributes().items():
        if name in layers.variables:
            array, trainable = layers.variables[name]
            options = {
                "dtype": f'"{array.dtype.name}"',
                "trainable": unusual(trainable, True),
                "name": f'"{name}"',
            }
            yield from spread(
                f"self.{attribute} = ", call("self.add_weight", literal(array.shape), **options), 8
            )
        else:
            yield from spread(f"self.{attribute} = ", layers.made[name], 8)
            shape = layers.shapes.get(name)
            if shape is not None:
                yield f"        self.{attribute}.build({literal(shape)})"
    yield "        self.built = True"


def _call(translation: Translation) -> Iterator[str]:
    layers, inputs = translation.layers, translation.inputs
    if len(inputs) == 1:
        yield f"    def call(self, {inputs[0]}):"
    else:
        yield "    def call(self, inputs):"
        yield f"        {', '.join(inputs)} = inputs"
    yield from all_written(translation.statements(), layers)
    yield f"        return {flat(layers.resolved(', '.join(translation.outputs)))}"


def _arrays(layers: SubclassLayers) -> dict[str, np.ndarray]:
    """By `<attribute>/<number>` what layers hold, by `<attribute>` what variables do."""
    attributes = layers.attributes()
    held = {
        f"{attributes[place.rpartition('/')[0]]}/{place.rpartition('/')[2]}": array
        for place, array in layers.arrays.items()
    }
    return {**held, **{attributes[name]: array for name, (array, _) in layers.variables.items()}}


def write_subclass(
    network: Network, rules: dict[str, Rule], target: str, folder: Path, readme: Any
) -> None:
    """Writes the files of the folder.

    Raises: UnsupportedError that lists every node without a meaning.
    """
    sources = subclass_source(network, rules, target)
    sources.write(folder, readme(README, network, target=target))
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(Path(scratch) / "weights.npz", **sources.arrays)  # type: ignore[arg-type]
        run_alone(
            Path(__file__).with_name("make_model.py"),
            str(folder),
            str(Path(scratch) / "weights.npz"),
        )
