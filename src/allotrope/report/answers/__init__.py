"""What the network answered on test data, by task: a file a kind, a template of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from allotrope.measure.choice import CALLED
from allotrope.report.answers.classification import classification
from allotrope.report.answers.multilabel import multilabel
from allotrope.report.answers.regression import regression
from allotrope.report.record import Record
from allotrope.report.run_folder import RunFolder

KINDS: Mapping[str, Callable[[Record, Record, RunFolder], dict[str, Any]]] = {
    "classification": classification,
    "multilabel": multilabel,
    "regression": regression,
}


@dataclass(frozen=True)
class Answers:
    """What is shown of a task: `shown` is what the template `answers_<kind>.html` names.

    `decides`: whether it is the one of several tasks by whose metric was chosen.
    """

    kind: str
    name: str
    decides: bool
    shown: Mapping[str, Any]


def answers(folder: RunFolder) -> list[Answers]:
    """The tasks of which there is an account, in their order; one alone has no name."""
    run = folder.record
    tasks = run.records("data", "tasks") or [_of_classes(run)]
    several = len(tasks) > 1
    accounts = []
    for number, facts in enumerate(tasks):
        kind, name = facts.text("kind"), facts.text("name")
        if kind not in KINDS:
            continue
        account = _account(run, name)
        shown = KINDS[kind](account, facts, folder)
        if any(shown.values()):
            accounts.append(Answers(kind, name if several else "", several and number == 0, shown))
    return accounts


def whose(run: Record) -> str:
    """Who answered what is shown."""
    if not run.record("delivered_test"):
        return "the float network"
    row = run.record("delivered") or run.record("nearest_miss")
    called = CALLED.get(row.text("form"), row.text("form"))
    return f"the delivered file, {called}," if run.record("delivered") else called


def _account(run: Record, name: str) -> Record:
    """Of the delivered file if it is another network than was trained, else of that."""
    account = run.record("delivered_test") or run.record("test")
    return account.record(name) or account


def _of_classes(run: Record) -> Record:
    """The task of a run from before there were tasks."""
    return Record({"kind": "classification", "classes": run.texts("data", "classes")})
