"""Pictures of what spoke for some answers, with the check whether they tell of what was learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from allotrope.report.answers.worst import Worst, worst_examples
from allotrope.report.formatting import MISSING
from allotrope.report.record import Record
from allotrope.report.run_folder import RunFolder


@dataclass(frozen=True)
class ExplainedAnswers:
    """Right answers and wrong ones with their pictures, and in words how far to trust these."""

    right: list[Worst]
    wrong: list[Worst]
    verdict: str
    note: str


def explanations(
    account: Record, folder: RunFolder, said: Callable[[Record], tuple[str, str, str]]
) -> ExplainedAnswers | None:
    """What `fit` found; None if there is nothing to show. `said` as for the worst examples."""
    facts = account.record("saliency")
    rows = facts.records("examples")
    right = [row for row in rows if row.value("true") == row.value("predicted")]
    wrong = [row for row in rows if row.value("true") != row.value("predicted")]
    recognized, mistaken = (worst_examples(part, folder, said) for part in (right, wrong))
    if not recognized and not mistaken:
        return None
    return ExplainedAnswers(recognized, mistaken, _verdict(facts), _note(facts))


def _verdict(facts: Record) -> str:
    alike = decimal(facts.number("correlation"))
    if facts.flag("depends"):
        return (
            "These maps do depend on what was learned: with shuffled weights others come out "
            f"(rank correlation {alike} on average, where 1 is the same map)."
        )
    return (
        "Do not read these maps: they hardly depend on what was learned, as shuffled weights give "
        f"much the same ones (rank correlation {alike} on average, where 1 is the same map)."
    )


def _note(facts: Record) -> str:
    places = " x ".join(facts.texts("places"))
    return (
        f"Grad-CAM at {facts.text('layer')}, {places} places: a map says where, no finer than "
        "that, and not why. --no-saliency leaves it out."
    )


def decimal(value: float | None) -> str:
    """A correlation with two decimals and a minus sign that is as long as a plus."""
    return MISSING if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
