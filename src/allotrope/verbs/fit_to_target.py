"""`fit` as it is called: with `--shrink` it goes on from a run that misses a limit."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec

from allotrope.progress import Progress, display
from allotrope.run import read_record
from allotrope.verbs.fit import fit as fit_alone
from allotrope.verbs.fit import fit_among
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.request import defaults
from allotrope.verbs.resuming import FINISHED

if TYPE_CHECKING:
    from allotrope.verbs.pipeline import Among

CARRIED = ("out", "max_drop", "budget", "epochs", "saliency", "quiet")
"""What is asked of both; all else that `shrink` needs to know stands in the run."""

Arguments = ParamSpec("Arguments")


def _to_target(function: Callable[Arguments, FittedRun]) -> Callable[Arguments, FittedRun]:
    """The same verb with what `--shrink` adds."""

    @functools.wraps(function)
    def verb(*arguments: Arguments.args, **named: Arguments.kwargs) -> FittedRun:
        bound = inspect.signature(function).bind(*arguments, **named)
        bound.apply_defaults()
        return fit_to_target(bound.arguments)

    return verb


fit = _to_target(fit_alone)


def fit_to_target(
    arguments: dict[str, Any], among: Among | None = None, show: Progress | None = None
) -> FittedRun:
    """`fit` by all of its arguments; with --shrink the run that goes on, if a limit was missed."""
    with show or display(arguments["quiet"]) as shown:
        was_finished = _was_finished(arguments["resume"])
        fitted = fit_among(arguments, among, shown)
        asked = arguments
        if arguments["resume"] is not None:
            asked = {**arguments, **fitted.json["arguments"]}
        if was_finished or not asked["shrink"] or not fitted.missed_limits:
            return fitted
        return _shrunk(fitted, asked, arguments["data"], among, shown)


def _was_finished(resume: Any) -> bool:
    """Whether a run that is to be resumed has ended: then nothing new begins."""
    return resume is not None and read_record(resume).get("status") in FINISHED


def _shrunk(
    fitted: FittedRun,
    asked: Mapping[str, Any],
    data: Any,
    among: Among | None,
    show: Progress,
) -> FittedRun:
    from allotrope.verbs.shrink import shrink, shrink_among

    limits = fitted.missed_limits
    missed = " and ".join(f"--{name.replace('_', '-')}" for name in limits)
    show.say(f"{fitted.folder} misses {missed}, and is shrunk")
    carried = {name: asked[name] for name in CARRIED}
    in_memory = data if isinstance(data, Mapping) else None
    own = {"source": fitted.folder, "data": in_memory}
    return shrink_among({**defaults(shrink), **carried, **limits, **own}, among, show)
