"""The table of foreign operators: their inputs and attributes, and how they are spelled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from onnx import AttributeProto, NodeProto

if TYPE_CHECKING:
    pass

Spelling = Callable[..., "str | Sequence[str]"]
"""`spelling(w, *inputs, **attributes)` gives the names of the outputs, in their order.

Inputs are names, None if left out.
"""

Function = TypeVar("Function", bound=Spelling)

MICROSOFT = "com.microsoft"

_KINDS: Mapping[str, AttributeProto.AttributeType] = {
    "int": AttributeProto.INT,
    "float": AttributeProto.FLOAT,
    "str": AttributeProto.STRING,
    "tuple[int, ...]": AttributeProto.INTS,
    "tuple[float, ...]": AttributeProto.FLOATS,
    "tuple[str, ...]": AttributeProto.STRINGS,
}
"""ONNX's types of attributes by the annotations of a spelling's keywords."""


@dataclass(frozen=True)
class Foreign:
    """A foreign operator.

    `before` is the opset before which it is foreign, if ONNX has it since; 0 if it never had.
    `refusal` says why it cannot be spelled, and what to do; then nothing else is known of it.
    """

    domain: str
    operator: str
    spelling: Spelling | None
    before: int = 0
    refusal: str = ""

    @property
    def inputs(self) -> list[inspect.Parameter]:
        """The parameters that are inputs; one without a default must be there."""
        return [q for q in self._parameters if q.kind is not q.KEYWORD_ONLY]

    @property
    def attributes(self) -> dict[str, inspect.Parameter]:
        """The attributes by name; one without a default must be there."""
        return {q.name.rstrip("_"): q for q in self._parameters if q.kind is q.KEYWORD_ONLY}

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        if self.spelling:
            return list(inspect.signature(self.spelling).parameters.values())[1:]
        return []

    def misuse(self, node: NodeProto) -> Iterator[str]:
        """What does not fit the definition: its attributes, and the number of its inputs."""
        if self.spelling is None:
            return
        known = self.attributes
        for attribute in node.attribute:
            name = attribute.name
            kind = None
            if name in known:
                kind = _KINDS[str(known[name].annotation).removesuffix(" | None")]
            if kind is None:
                names = ", ".join(sorted(known)) or "none"
                yield f"has the attribute '{name}', which is not known here; known are {names}"
            elif attribute.type != kind:
                yield f"has attribute '{name}' of type {attribute.type}, not {kind}"
        present = {attribute.name for attribute in node.attribute}
        for name, parameter in known.items():
            if parameter.default is parameter.empty and name not in present:
                yield f"lacks attribute '{name}'"
        yield from self._missing(list(node.input))

    def _missing(self, names: list[str]) -> Iterator[str]:
        inputs = self.inputs
        # Inputs at the end may be left out altogether, others have no name then.
        filled = names + [""] * len(inputs)
        needed = [
            q.name for q, name in zip(inputs, filled, strict=False) if _required(q) and not name
        ]
        if needed:
            yield f"lacks the inputs {', '.join(needed)}"
        if len(names) > len(inputs) and not any(q.kind is q.VAR_POSITIONAL for q in inputs):
            yield f"has {len(names)} inputs, at most {len(inputs)} are known"


def _required(parameter: inspect.Parameter) -> bool:
    """Whether an input must be there: None is the default or in the annotation of others."""
    optional = parameter.kind is parameter.VAR_POSITIONAL or "None" in str(parameter.annotation)
    return parameter.default is parameter.empty and not optional


FOREIGN: dict[tuple[str, str], Foreign] = {}
"""By domain and operator."""


def foreign(
    *operators: str, domain: str = MICROSOFT, before: int = 0
) -> Callable[[Function], Function]:
    """Enter a spelling; its signature says which inputs and attributes the operator has."""

    def enter(function: Function) -> Function:
        for operator in operators:
            FOREIGN[domain, operator] = Foreign(domain, operator, function, before)
        return function

    return enter


def refused(*operators: str, domain: str = MICROSOFT, why: str) -> None:
    """Enter operators that cannot be spelled in ONNX."""
    for operator in operators:
        FOREIGN[domain, operator] = Foreign(domain, operator, None, refusal=why)


def foreign_operator(domain: str, operator: str, version: int) -> Foreign | None:
    """The foreign operator of this name in a version of its domain.

    None if it is none, or ONNX's own by then.
    """
    entry = FOREIGN.get((domain, operator))
    if entry is not None and (not entry.before or version < entry.before):
        return entry
    return None
