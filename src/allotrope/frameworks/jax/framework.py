"""JAX: networks run and differentiated in it.

JAX keeps 64-bit types only where `jax_enable_x64` is on, and that is the user's to say. What
Allotrope computes by itself (runs, gradients, training) turns it on around the computation; a
native model is traced by the user's own code, so it follows the user's setting.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from allotrope.config import Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks.contract import Collective, Framework, Trainer, TrainingPlan
from allotrope.frameworks.inputs import check_inputs, check_output_gradients, check_shapes
from allotrope.frameworks.jax.arrays import UnknownValueError, to_array, to_numpy
from allotrope.frameworks.jax.primitives import JaxPrimitives
from allotrope.frameworks.jax.product_precision import products
from allotrope.frameworks.jax.releases import sooner_compiled, warn_of_wrong_results
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.precisions import precisions
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program
from allotrope.operators.memory import bounded

_COMPILER: dict[str, int | bool] = {}
"""What XLA is told for runs and gradients."""


class Jax(Framework):
    """Networks in JAX."""

    name = "jax"

    def compile_soon(self) -> None:
        """XLA's compiler leaves out optimizations and its newer emitters of fused loops.

        It takes a quarter of its time, for several times a run's.
        """
        _COMPILER.update(sooner_compiled(jaxlib.__version__), xla_backend_optimization_level=0)

    def run(
        self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False
    ) -> dict[str, np.ndarray]:
        """The network's outputs by name."""
        arrays = check_inputs(network, inputs)
        with jax.enable_x64(True), _exactly():
            outputs = evaluate(_outputs_of(network, training), {**network.weights, **arrays})
            return {
                value.name: to_numpy(outputs[value.name]) for value in network.outputs
            }  # JAX sorts what it compiles by name

    def gradients(
        self,
        network: Network,
        inputs: Mapping[str, np.ndarray],
        output_gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products by name, for every trainable weight and every float input."""
        arrays = check_inputs(network, inputs)
        with jax.enable_x64(True), _exactly():
            seeds = {
                name: to_array(value)
                for name, value in check_output_gradients(network, output_gradients).items()
            }
            try:
                products = evaluate(_gradients_of(network), {**network.weights, **arrays}, seeds)
            except NotImplementedError as error:
                raise UnsupportedError(f"JAX cannot differentiate this network: {error}") from error
            return {name: to_numpy(value) for name, value in products.items()}

    def native(self, network: Network) -> Any:
        """A `flax.nnx.Module` whose variables are named as the weights.

        Its `train()` and `eval()` choose the behaviour.

        Raises: UnsupportedError for float64 weights where `jax_enable_x64` is off.
        """
        from allotrope.frameworks.jax.module import NetworkModule

        return NetworkModule(network)

    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """The weights and state of a module, by name."""
        return {
            name: to_numpy(variable.get_value()) for name, variable in model.variables().items()
        }

    def trainer(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Any = None,
    ) -> Trainer:
        """A trainer that starts from the network's weights."""
        from allotrope.frameworks.jax.trainer import JaxTrainer

        return JaxTrainer(network, plan, settings, collective)

    def collective(
        self, rank: int, size: int, addresses: Sequence[str], settings: Settings
    ) -> Collective:
        """The processes by `jax.distributed`, which sums by gloo on CPUs."""
        from allotrope.frameworks.jax.collective import JaxProcesses

        return JaxProcesses(rank, size, addresses[0], settings.device)

    def settings(self) -> list[Settings]:
        """Every precision on every kind of device here, the CPU last.

        Always compiled: JAX without it is only for debugging.
        """
        platforms = {one.platform for one in jax.devices()} - {"cpu"}
        kinds = sorted("cuda" if name == "gpu" else name for name in platforms)
        return [
            Settings(device=kind, precision=precision, compiled=True)
            for kind in [*kinds, "cpu"]
            for precision in precisions(kind)
        ]


def _exactly() -> AbstractContextManager[Any]:
    """Within: products are not rounded on the device that computes by default."""
    return products("float32", jax.default_backend())


def evaluate(function: Callable[..., Any], values: Mapping[str, np.ndarray], *others: Any) -> Any:
    """function(values, *others), compiled as a whole as far as that goes.

    Where values steer shapes, integers are made known and the rest is compiled; where that is not
    enough, it runs operation by operation.
    """
    whole = {name: to_array(value) for name, value in values.items()}
    try:
        return jax.jit(function, compiler_options=_COMPILER)(whole, *others)
    except UnknownValueError:
        known = {name: value for name, value in values.items() if value.dtype.kind in "iub"}
    try:
        rest = {n: x for n, x in whole.items() if n not in known}
        compiled = jax.jit(
            lambda rest: function({**known, **rest}, *others), compiler_options=_COMPILER
        )
        return compiled(rest)
    except UnknownValueError:
        return function(whole, *others)


# A network is immutable, so what is compiled for it stays right; a few are kept for calls that come
# again.
@functools.lru_cache(maxsize=8)
def _outputs_of(network: Network, training: bool) -> Callable[..., dict[str, jax.Array]]:
    program = Program(lowered(network), bounded(JaxPrimitives()), ReferencePrimitives())

    def outputs(values: Mapping[str, Any]) -> dict[str, jax.Array]:
        results = program(dict(values), Context(training=training))
        return {v.name: y for v, y in zip(network.outputs, results, strict=True)}

    return outputs


@functools.lru_cache(maxsize=8)
def _gradients_of(network: Network) -> Callable[..., dict[str, jax.Array]]:
    outputs_of = _outputs_of(network, False)
    wanted = network.trainable | {v.name for v in network.inputs}

    def gradients(
        values: Mapping[str, Any], seeds: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        floats = {
            n: x for n, x in values.items() if n in wanted and jnp.issubdtype(x.dtype, jnp.floating)
        }
        outputs, pull_back = jax.vjp(lambda moving: outputs_of({**values, **moving}), floats)
        check_shapes(seeds, {name: y.shape for name, y in outputs.items()})
        filled = {
            n: seeds[n].astype(y.dtype) if n in seeds else np.zeros(y.shape, y.dtype)
            for n, y in outputs.items()
        }
        whole = {
            n: filled[n]
            if jnp.issubdtype(y.dtype, jnp.floating)
            else np.zeros(y.shape, jax.dtypes.float0)
            for n, y in outputs.items()
        }
        products: dict[str, jax.Array] = pull_back(whole)[0]
        return products

    return gradients


warn_of_wrong_results(jaxlib.__version__)
FRAMEWORK = Jax()
