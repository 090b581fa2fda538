"""Joins a verb's function with its options: help, and a signature that spells them out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

from allotrope.option import Option

OF_INPUTS = "of_inputs"
"""What a verb's function calls the options of kinds of inputs."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def takes(
    options: Sequence[Option],
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """A decorator for a verb that has these options.

    The function's own signature has the type and default of most. Those of a kind of input come by
    `**of_inputs: Unpack[SomeTypedDict]`, and are spelled out here, so that `help`, the command line
    and `inspect.signature` see one list of named arguments. Its docstring gets an "Args:" part.

    Raises: ValueError for an argument without a declaration, at import.
    """
    by_name = {option.name: option for option in options}

    def declared(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        parameters = _parameters(function, by_name)
        signature = inspect.signature(function).replace(parameters=list(parameters.values()))

        # Defaults of kinds of inputs stand in their declarations alone: binding fills them in.
        @functools.wraps(function)
        def verb(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            bound = signature.bind(*arguments, **named)
            bound.apply_defaults()
            return function(*bound.args, **bound.kwargs)

        described = [by_name[name] for name in parameters]
        verb.__signature__ = signature  # type: ignore[attr-defined]
        verb.__annotations__ = {name: one.annotation for name, one in parameters.items()}
        verb.__doc__ = _documented(inspect.getdoc(function) or "", described)
        return verb

    return declared


def spelled_out(arguments: dict[str, Any]) -> dict[str, Any]:
    """The locals of a verb's function as its arguments, those of kinds of inputs among them."""
    others = {name: value for name, value in arguments.items() if name != OF_INPUTS}
    return others | arguments[OF_INPUTS]


def _parameters(
    function: Callable[..., Any], options: dict[str, Option]
) -> dict[str, inspect.Parameter]:
    """The parameters by name; for `**of_inputs: Unpack[T]` one for each key of T."""
    parameters = dict(inspect.signature(function).parameters)
    hints: dict[str, Any] = {}
    if parameters.pop(OF_INPUTS, None) is not None:
        (keys,) = get_args(get_type_hints(function)[OF_INPUTS])
        hints = get_type_hints(keys)
    missing = [name for name in (*parameters, *hints) if name not in options]
    if missing:
        raise ValueError(f"{function.__name__}: no Option is declared for {', '.join(missing)}")
    for name, hint in hints.items():
        kind = inspect.Parameter.KEYWORD_ONLY
        default = options[name].default
        parameters[name] = inspect.Parameter(name, kind, default=default, annotation=hint)
    return parameters


def _documented(text: str, options: Iterable[Option]) -> str:
    """The docstring with its arguments, ahead of "Raises:"."""
    lines = [f"    {option.name}: {option.described}" for option in options]
    before, raises, after = text.partition("Raises:")
    return f"{before}Args:\n" + "\n".join(lines) + f"\n\n{raises}{after}"
