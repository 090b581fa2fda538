"""What a framework supplies beside its primitives: native models and trainers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from allotrope.config import Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks.primitives import Array
from allotrope.network.network import Network

Arrays = Mapping[str, np.ndarray]
"""Arrays by name; examples are the first axis."""

Loss = Callable[[Any, Mapping[str, Array], Mapping[str, Array], Mapping[str, Array]], Array]
"""loss(p, outputs, targets, weights), each by name -> what is minimized, an array without
dimensions.

An output that has a target comes in that one's dtype; a target may be of no output. An example
whose weight is 0 has no such target; what has no entry in `weights` counts every example once."""


@dataclass(frozen=True)
class Batch:
    """Examples for one training step, as columns by name.

    `inputs` are raw, as the network takes them. `targets` are encoded: float32 [n, size of the
    task], or float64 for a network that is computed in it; `weights` [n], by the same names, are of
    that dtype too. `clean` are inputs as they were before strong augmentation, for a teacher.
    """

    inputs: Arrays
    targets: Arrays
    weights: Arrays = field(default_factory=dict)
    clean: Arrays = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of examples."""
        return len(next(iter(self.inputs.values())))

    def first(self, count: int) -> Batch:
        """The batch of the first `count` examples."""
        columns = (self.inputs, self.targets, self.weights, self.clean)
        return Batch(*({name: x[:count] for name, x in arrays.items()} for arrays in columns))


@dataclass(frozen=True)
class OptimizerOptions:
    """Which update rule, and its constants; `momentum` is Adam's beta1.

    `decoupled`: weight decay multiplies the weight instead of being added to the gradient.
    `lookahead`: slow weights follow every so many steps, 0 for none. `accumulate`: so many
    gradients make a step. `centralize`: the mean is taken out of the gradient of each row. `l1` is
    added to the gradient of layers in the direction of the weight; `max_norm` bounds their rows.
    """

    name: str
    momentum: float
    beta2: float
    epsilon: float
    decoupled: bool
    lookahead: int = 0
    accumulate: int = 1
    centralize: bool = False
    l1: float = 0.0
    max_norm: float | None = None

    @property
    def wrapped(self) -> bool:
        """Whether something goes around the rule."""
        around = self.lookahead or self.accumulate > 1 or self.centralize
        return bool(around or self.l1 or self.max_norm is not None)


class Optimizer(Protocol):
    """An update rule over primitives; `options` say which."""

    @property
    def options(self) -> OptimizerOptions:
        """The rule and its constants."""

    @property
    def by_shape(self) -> bool:
        """Whether it has to see weights in the network's shapes, not as a framework stores them."""

    @property
    def delivers_another(self) -> bool:
        """Whether other weights than the trained ones are evaluated and delivered."""

    def delivered(self, p: Any, weight: Array, slots: dict[str, Array]) -> Array:
        """Those, of a trained weight and its slots."""

    def slots(self, p: Any, weight: Array) -> dict[str, Array]:
        """Fresh state for one weight, such as its velocity; arrays of its own memory."""

    def update(
        self,
        p: Any,
        weight: Array,
        gradient: Array,
        slots: dict[str, Array],
        learning_rate: Any,
        decay: float,
        step: Any,
    ) -> tuple[Array, dict[str, Array]]:
        """The weight and its state after one step; `step` counts from 1."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a trainer computes in a step, free of any framework.

    A loss knows the names of outputs and targets, so that a trainer knows no tasks.
    `learning_rate_scale` and `weight_decay` are by weight name (1 and 0 if absent). `average` is
    the decay of the moving average of all weights and state, in effect
    min(average, (1 + step) / (10 + step)). `clip_norm` bounds the global gradient norm.
    `sharpness` is how far from the weights the loss is highest where gradients are taken (SAM);
    None takes them at the weights.
    """

    loss: Loss
    optimizer: Optimizer
    learning_rate_scale: Mapping[str, float] = field(default_factory=dict)
    weight_decay: Mapping[str, float] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    clip_norm: float | None = None
    sharpness: float | None = None
    average: float | None = None
    seed: int = 0

    @property
    def averages(self) -> bool:
        """Whether other weights than the trained ones are evaluated and delivered."""
        return self.average is not None or self.optimizer.delivers_another


class Collective(abc.ABC):
    """The processes that train one network together, as one of them sees them."""

    def __init__(self, rank: int, size: int) -> None:
        """Number `rank`, counted from 0, of `size`."""
        self.rank, self.size = rank, size

    @abc.abstractmethod
    def sum(self, x: Array) -> Array:
        """x summed over all processes, the same bits in each; the gradient is summed as well.

        All processes have to ask for the same sums in the same order.
        """


class Trainer(abc.ABC):
    """A network that is being trained in one framework. The loop around it is the same for all."""

    @abc.abstractmethod
    def step(self, batch: Batch, learning_rate: float, step: int) -> Any:
        """One update; `step` counts from 1.

        Gives the loss in the targets' dtype; `float` waits for it.

        The batch has an array for every input of the network, and targets for some of its outputs.
        """

    @abc.abstractmethod
    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs, floats as float32, of the averaged weights if there are such."""

    @abc.abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """What the next step depends on, under `weights/`, `optimizer/<slot>/` and `average/`."""

    @abc.abstractmethod
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave, in this framework or another.

        Raises: TrainingError if names or shapes differ.
        """

    @abc.abstractmethod
    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state as it should be delivered: averaged if averaging is on."""


class Framework(abc.ABC):
    """Runs, differentiates and trains networks in one framework."""

    name: ClassVar[str]
    engine: str | None = None
    """The framework that computes for this one, as this one calls it."""

    @property
    def threads(self) -> int | None:
        """How many threads a step takes unless its settings say; None if that cannot be changed."""
        return None

    def take_threads(self, threads: int | None) -> None:  # noqa: B027 - most can be told any time
        """So many threads compute from now on, if that can only be said before anything is run.

        Raises: UsageError if something was.
        """

    def compile_soon(self) -> None:  # noqa: B027 - most frameworks compile nothing for these
        """From now on runs and gradients are compiled in little time, not to the fastest code."""

    @abc.abstractmethod
    def run(
        self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False
    ) -> dict[str, np.ndarray]:
        """The network's outputs by name.

        Raises: UnsupportedError, UsageError for inputs that do not fit.
        """

    @abc.abstractmethod
    def gradients(
        self,
        network: Network,
        inputs: Mapping[str, np.ndarray],
        output_gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products by name, for every trainable weight and every float input."""

    @abc.abstractmethod
    def native(self, network: Network) -> Any:
        """The network as the framework's own kind of trainable model."""

    @abc.abstractmethod
    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """The weights and state of a native model, by their names in the network."""

    @abc.abstractmethod
    def trainer(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> Trainer:
        """A trainer that starts from the network's weights.

        With a `collective` the batches of its steps are parts: `inputs` are the rows of this
        process, as `frameworks.together.rows_of` says, targets and weights those of all rows.
        """

    def collective(
        self, rank: int, size: int, addresses: Sequence[str], settings: Settings
    ) -> Collective:
        """Joins the processes of all ranks, by its engine; `addresses` are HOST:PORT of each.

        Ports are free on their machines. Called once in a process, before anything is computed.

        Raises: UnsupportedError if this framework trains in one process only.
        """
        raise UnsupportedError(f"{self.name} trains in one process only.")

    @abc.abstractmethod
    def settings(self) -> list[Settings]:
        """The settings plausible on this machine: of accelerators first, of the CPU last.

        The first rounds nothing and compiles only what the framework always compiles.
        """
