"""The command line: a verb is a call of the function of that name.

Its options and help are that function's arguments and docstring.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but the target was missed, 130 stopped with
Ctrl-C.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from json import dumps
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from cyclopts import App, CycloptsError, Parameter

from allotrope import __version__
from allotrope.errors import AllotropeError, UsageError, unknown_name
from allotrope.run import plain

INTERRUPTED = 130

JSON_HELP = "With --json, one line of JSON is printed, last on standard output."
NO_EMPTY = Parameter(negative_iterable=())
OF_WORDS = (str, Path, int, float, bool, type(None))
"""What the words of a command line can be. Functions also take networks and arrays."""
Verbs = Mapping[str, tuple[str | Callable[..., Any], str]]
"""By name: the verb's function, or where it is to be imported from, and what it does in a line."""

VERBS: Verbs = {
    "fit": (
        "allotrope.verbs.fit_to_target:fit",
        "Train on labelled examples and deliver the fastest file that meets the target.",
    ),
    "compare": (
        "allotrope.verbs.compare:compare",
        "Race the frameworks on your data: which to use here, and why.",
    ),
    "augment": (
        "allotrope.verbs.augment:augment",
        "Show what augmentation makes of your examples, before anything is trained.",
    ),
    "shrink": (
        "allotrope.verbs.shrink:shrink",
        "Make a trained network smaller and faster until the measured target is met.",
    ),
    "tune": (
        "allotrope.verbs.tune:tune",
        "Search for a better recipe and size, and deliver what it gave.",
    ),
    "predict": (
        "allotrope.verbs.predict:predict",
        "Answer for new examples with the file that a run delivered.",
    ),
    "explain": (
        "allotrope.verbs.explain:explain",
        "Show one picture's way through a trained network, step by step, with its numbers.",
    ),
    "convert": (
        "allotrope.verbs.convert:convert",
        "Write an ONNX file as an ordinary model of one framework, proved equal.",
    ),
    "check": (
        "allotrope.verbs.check:check",
        "Prove that a network is the same in every framework.",
    ),
    "bench": (
        "allotrope.verbs.bench:bench",
        "Measure an ONNX file in every runtime that is installed.",
    ),
    "report": ("allotrope.verbs.report:report", "Write the report of a run again."),
    "cache": ("allotrope.verbs.cache:cache", "Say what decoded data lies on disk, or remove it."),
    "doctor": ("allotrope.verbs.doctor:doctor", "Say what this machine has and what is missing."),
}


def main(arguments: Sequence[str] | None = None, verbs: Verbs = VERBS) -> int:
    """Runs one command line, by default that of this process, and gives its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    tokens, as_json = [word for word in words if word != "--json"], "--json" in words
    try:
        result = _call(tokens, as_json, verbs)
        if result is not None and not getattr(result, "silent", False):
            print(dumps(plain(getattr(result, "json", result))) if as_json else result, flush=True)
    except CycloptsError as error:
        return _failed(
            UsageError(f"{error}\nFor the options: allotrope {_verb(tokens)} --help"), as_json
        )
    except AllotropeError as error:
        return _failed(error, as_json)
    except KeyboardInterrupt as interruption:
        print(f"Stopped. {interruption}".strip(), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what reads our output has enough of it, as `head` does
        return 1
    return int(getattr(result, "exit_code", 0))


def _call(tokens: list[str], as_json: bool, verbs: Verbs) -> Any:
    """What the verb's function returns; None where help or the version was printed."""
    verb = _verb(tokens)
    if verb and verb not in verbs:
        raise unknown_name("command", verb, verbs)
    function, bound, _ = _app(verb, verbs).parse_args(
        tokens, exit_on_error=False, print_error=False
    )
    if as_json and "quiet" in inspect.signature(function).parameters:
        bound.arguments["quiet"] = True
    return function(*bound.args, **bound.kwargs)


def _app(verb: str, verbs: Verbs) -> App:
    """The verbs.

    The function of `verb` is imported for its help and options; of the others one line is enough.
    """
    summary = (
        "Hold a neural network once; give it every form it can take, trained and measured on your "
        "data and machine."
    )
    app = App(
        "allotrope",
        summary,
        version=__version__,
        help_epilogue=JSON_HELP,
        help_format="plaintext",
        default_parameter=NO_EMPTY,
    )
    for name, (home, line) in verbs.items():
        if name == verb:
            app.command(of_words(_function(home)), name=name)
        else:
            app.command(home, name=name, help=line)
    return app


def _function(home: str | Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(home, str):
        return home
    module, _, name = home.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def of_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with types that words can have: a path, not a network; a list, not a mapping."""
    hints = get_type_hints(function)
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    types = {name: _type_of_words(hints[name]) for name in signature.parameters}
    parameters = [one.replace(annotation=types[one.name]) for one in signature.parameters.values()]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = types
    return called


def _type_of_words(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        members = get_args(hint)
    else:
        members = (hint,)
    lists = [member for member in members if get_origin(member) is Sequence]
    if lists:
        return lists[0] | None
    # A union that is made of a list cannot be written with bars.
    return Union[tuple(member for member in members if member in OF_WORDS)]  # noqa: UP007


def _verb(tokens: Sequence[str]) -> str:
    return next((token for token in tokens if not token.startswith("-")), "")


def _failed(error: AllotropeError, as_json: bool) -> int:
    print(f"allotrope: {error}", file=sys.stderr)
    if as_json:
        print(dumps({"error": {"kind": type(error).__name__, "message": str(error)}}), flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
