"""Operators that are called by themselves, as a written `operators.py` has them.

`convert` cuts this file out too.
There `ARRAYS` are the primitives of one framework, and `operator` takes the place of the table's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.frameworks.reference.primitives import ReferencePrimitives

HOST = ReferencePrimitives()
"""Computes what is known as NumPy arrays: lengths, and what follows from them."""
ARRAYS: Any = HOST
"""Computes everything else."""


@dataclass(frozen=True)
class Context:
    """What an operator may know beside its inputs: how many of its outputs are used.

    Everything is computed as in inference.
    """

    outputs: int = 1
    training: bool = False
    share: None = None

    def wants(self, output: int) -> bool:
        """Whether the output at this position is used."""
        return output < self.outputs

    def renew(self, states: Mapping[int, Any]) -> None:
        """States stay what they are."""


@dataclass(frozen=True)
class Operator:
    """An operator as a function of arrays, NumPy's or the framework's.

    In its own function they come after the primitives `p`.

    Where all inputs are NumPy's, so is the result. `host` are the positions of inputs that must be
    known as NumPy arrays (all if `all_host`), `known` those of inputs that stay NumPy arrays where
    they are.
    """

    name: str
    function: Callable[..., Any]
    host: frozenset[int]
    known: frozenset[int]
    all_host: bool
    takes_context: bool
    gives_host: bool

    def __call__(self, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """The first output, or a tuple of as many as are asked for."""
        # An operator that calls another passes its own primitives on.
        if inputs and type(inputs[0]) in (type(ARRAYS), type(HOST)):
            return self.function(*inputs, **attributes)
        # Subgraphs compute by themselves where their values are; nothing is converted for them.
        has_bodies = any(map(callable, attributes.values()))
        on_host = not has_bodies and all(x is None or isinstance(x, np.ndarray) for x in inputs)
        p, arguments = HOST, list(inputs)
        if not on_host:
            p = _beside(inputs)
            arguments = [self._argument(p, i, x, has_bodies) for i, x in enumerate(inputs)]
        if self.takes_context:
            attributes["context"] = Context(outputs)
        results = self.function(p, *arguments, **attributes)
        if not isinstance(results, (tuple, list)):
            results = (results,)
        results = [self._result(p, y, has_bodies) for y in results[:outputs]]
        if outputs == 1:
            return results[0]
        return tuple(results)

    def _argument(self, p: Any, position: int, x: Any, has_bodies: bool) -> Any:
        if x is None or isinstance(x, list):
            return x
        if self.all_host or position in self.host:
            if isinstance(x, np.ndarray):
                return x
            return self._value(p, x)
        if has_bodies or position in self.known or not isinstance(x, np.ndarray):
            return x
        return p.constant(x)

    def _value(self, p: Any, x: Any) -> np.ndarray:
        if p.differentiated(x):
            raise UnsupportedError(
                f"{self.name} needs an input whose value is known: there is no gradient by it."
            )
        return np.asarray(p.to_host(x))

    def _result(self, p: Any, y: Any, has_bodies: bool) -> Any:
        if y is None or isinstance(y, list):
            return y
        if p is HOST:
            return np.asarray(y)
        if isinstance(y, (np.ndarray, np.generic)) and not (has_bodies or self.gives_host):
            return p.constant(np.asarray(y))
        return y


def _beside(inputs: Sequence[Any]) -> Any:
    """The primitives, on the device of the first array."""
    arrays = [x for x in inputs if x is not None and not isinstance(x, (np.ndarray, list))]
    if arrays:
        return ARRAYS.beside(arrays[0])
    return ARRAYS


def room_for(shape: Sequence[int], dtype: np.dtype) -> None:
    """Nothing is measured: a model that was converted is no stranger's file."""


def array(x: Any) -> Any:
    """An array of the framework, if it is NumPy's still."""
    if isinstance(x, np.ndarray):
        return ARRAYS.constant(x)
    return x


def operator(
    name: str,
    *,
    host: Iterable[str] = (),
    known: Iterable[str] = (),
    domain: str = "",
    attributes_of: Any = None,
) -> Callable[[Callable[..., Any]], Operator]:
    """Makes an operator of its function; `host` and `known` name its parameters."""

    def made(function: Callable[..., Any]) -> Operator:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        positional = [q.name for q in parameters if q.kind is not q.KEYWORD_ONLY]
        return Operator(
            name=name,
            function=function,
            host=frozenset(positional.index(one) for one in host if one != "*"),
            known=frozenset(map(positional.index, known)),
            all_host="*" in host,
            takes_context=any(q.name == "context" for q in parameters),
            gives_host="*" in host or function.__annotations__.get("return") == "np.ndarray",
        )

    return made
