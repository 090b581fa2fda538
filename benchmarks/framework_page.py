"""The page of `which_framework.py`, from what was measured and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import geometric_mean, median
from typing import Any

from allotrope.config import Settings
from allotrope.tasks import task_of
from allotrope.training.race_words import described
from allotrope.wording import counted

Row = Mapping[str, Any]
TITLES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow", "keras": "Keras", "jax": "JAX"}
SHORTEST = 0.05
"""Milliseconds that a step takes at the least."""
COLUMNS = (
    "framework, settings",
    "import, compile",
    "trains, examples/s",
    "infers, examples/s",
    "a step: fixed, each example",
    "memory",
    "to the goal",
    "test",
)
NOTHING = "–"


def page(results: Mapping[str, Any], image: str) -> str:
    """The page in Markdown; `image` is the name of its picture."""
    problems = [one for one in results["problems"] if measured(one)]
    parts = [
        "# Which framework for what",
        introduction(results),
        "## The short answer",
        short_answer(problems),
        "\n".join(f"- {line}" for line in lessons(problems)),
        f"![How fast each framework trains, in parts of the fastest]({image})",
        HOW,
        *(part for one in problems for part in section(one)),
        "## What this does not say",
        limits(problems),
    ]
    return "\n\n".join(parts) + "\n"


HOW = """## How it was measured

The same network, weights and batches in each framework, by `allotrope compare`: each framework in
processes of its own, with as many threads as the others, in float32, with the memory layout and
compilation that are its own fastest and agree with its defaults. Speeds are medians over five
rounds in which the frameworks took turns, `±` the highest less the lowest median of the rounds. A
step is parted by a line through steps of two sizes, a batch and an eighth of it: what it takes
whatever is in it (Python, dispatch, the optimizer), and what each example adds (arithmetic). Times
to the goal begin with the import of the framework, and are the median over whole trainings from
other weights. **Bold** is what `compare` recommends: first at the goal, or fastest if none was
trained; of equals the one with less memory."""


def measured(problem: Mapping[str, Any]) -> list[Row]:
    """The rows with a speed."""
    return [row for row in problem["rows"] if "training" in row]


def introduction(results: Mapping[str, Any]) -> str:
    """Where and when, and the command."""
    machine, versions = results["machine"], results["versions"]
    packages = ("torch", "tensorflow", "keras", "jax")
    installed = ", ".join(f"{name} {versions[name]}" for name in packages if name in versions)
    threads = {one["race"]["threads"] for one in results["problems"]}
    listed = " and ".join(map(str, sorted(threads)))
    seconds = sum(one["seconds"] for one in results["problems"])
    return (
        f"Made by `python benchmarks/which_framework.py` in {seconds / 60:.0f} minutes on "
        f"{counted(machine['cores'], 'core')} of {machine['cpu']} "
        f"({', '.join(machine['features'])}; "
        f"{machine['memory'] / 1e9:.0f} GB, no GPU), threads for each framework: {listed}; Python "
        f"{machine['python']}, {installed}. The figures are in the .json file beside this page. "
        "For your own data and machine: `allotrope compare DATA`."
    )


# --- the short answer


def short_answer(problems: Sequence[Mapping[str, Any]]) -> str:
    """A line a problem: which is first, and by how much."""
    lines = [
        "| problem | first to the goal | trains fastest | infers fastest |",
        "| --- | --- | --- | --- |",
    ]
    for one in problems:
        rows = measured(one)
        goal = {
            name(row): row["seconds_to_metric"]["median"]
            for row in rows
            if row.get("seconds_to_metric")
        }
        cells = [
            ranked(goal, lambda x: f"{x:.1f} s", least=True),
            ranked(speeds(rows, "training"), lambda x: f"{x:,.0f}/s"),
            ranked(speeds(rows, "inference"), lambda x: f"{x:,.0f}/s"),
        ]
        lines.append(f"| {one['title']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ranked(values: Mapping[str, float], write: Callable[[float], str], least: bool = False) -> str:
    """`**JAX** 4,000/s, 1.3 times the next (PyTorch)`."""
    if not values:
        return NOTHING
    order = sorted(values, key=lambda key: values[key], reverse=not least)
    first = f"**{order[0]}** {write(values[order[0]])}"
    if len(order) == 1:
        return first
    ratio = values[order[0]] / values[order[1]]
    if least:
        ratio = 1 / ratio
    return f"{first}, {ratio:.2f} times as fast as {order[1]}"


def speeds(rows: Sequence[Row], kind: str) -> dict[str, float]:
    return {name(row): row[kind]["examples_per_second"] for row in rows}


def name(row: Row) -> str:
    return TITLES.get(row["framework"], row["framework"])


# --- what the figures say together


def lessons(problems: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences that hold for all problems together, each from its figures."""
    return [
        line
        for line in (
            agreement(problems),
            of_steps(problems),
            of_examples(problems),
            of_beginnings(problems),
            of_memory(problems),
        )
        if line
    ]


def agreement(problems: Sequence[Mapping[str, Any]]) -> str:
    apart = [
        f"{name(row)} on {one['title']}"
        for one in problems
        for row in measured(one)
        if row.get("agreement", {}).get("agrees") is False
    ]
    if apart:
        return f"Losses part, which is a fault to be found before a choice: {', '.join(apart)}."
    largest = max(
        (
            row.get("agreement", {}).get("difference") or 0
            for one in problems
            for row in measured(one)
        ),
        default=0,
    )
    return (
        "Accuracy is no reason to choose: from equal weights and batches all frameworks have the "
        f"same losses (the largest difference of the first steps is {largest:.1e} of the loss)."
    )


def over_problems(
    problems: Sequence[Mapping[str, Any]], figure: Callable[[Row], float | None]
) -> dict[str, float]:
    """The geometric mean of a figure by framework, of those that have it for all problems."""
    values: dict[str, list[float]] = {}
    for one in problems:
        for row in measured(one):
            value = figure(row)
            if value:
                values.setdefault(name(row), []).append(value)
    return {key: geometric_mean(own) for key, own in values.items() if len(own) == len(problems)}


def listed(values: Mapping[str, float], write: Callable[[float], str]) -> str:
    return ", ".join(
        f"{key} {write(values[key])}" for key in sorted(values, key=lambda k: values[k])
    )


def of_steps(problems: Sequence[Mapping[str, Any]]) -> str:
    # Lines may meet a batch of none at nothing, of which there is no geometric mean.
    fixed = over_problems(
        problems, lambda row: row.get("step") and max(row["step"]["fixed"], SHORTEST)
    )
    if len(fixed) < 2:
        return ""
    first = min(fixed, key=lambda key: fixed[key])
    return (
        f"**Small networks and small batches: {first}.** A step takes this long whatever is in it "
        f"(geometric mean over the problems): {listed(fixed, lasting)}."
    )


def of_examples(problems: Sequence[Mapping[str, Any]]) -> str:
    wins: dict[str, list[str]] = {}
    for one in problems:
        each = {
            name(r): r["step"]["example"]
            for r in measured(one)
            if (r.get("step") or {}).get("example")
        }
        if len(each) > 1:
            wins.setdefault(min(each, key=lambda key: each[key]), []).append(one["title"])
    if not wins:
        return ""
    said = "; ".join(f"{key}: {', '.join(titles)}" for key, titles in wins.items())
    return f"**Large batches**: an example more costs least in {said}."


def of_beginnings(problems: Sequence[Mapping[str, Any]]) -> str:
    starts = over_problems(problems, lambda row: row["import_seconds"] + row["compile_seconds"])
    if len(starts) < 2:
        return ""
    first = min(starts, key=lambda key: starts[key])
    return (
        f"**Trials that take seconds: {first}.** Until the first step is made, import and "
        f"compilation take {listed(starts, lambda x: f'{x:.1f} s')}."
    )


def of_memory(problems: Sequence[Mapping[str, Any]]) -> str:
    memory = over_problems(problems, lambda row: row.get("peak_memory"))
    return f"Memory of the process at its peak: {listed(memory, gigabytes)}." if memory else ""


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


# --- a problem


def section(problem: Mapping[str, Any]) -> list[str]:
    """Its title, what was trained, the table, and why it is so."""
    metric = task_of(problem["task"]).metric
    rows = measured(problem)
    goal = problem["goal"]
    epochs = problem["race"].get("epochs")
    what = (
        f"{problem['about']}. `{problem['network']}`, {problem['weights']:,} weights, "
        f"batches of {rows[0]['batch']}"
    )
    if problem["multiply_adds"]:
        what += f", {problem['multiply_adds']:,} multiply-adds an example"
    if epochs:
        what += (
            f", {counted(epochs, 'epoch')} each with {counted(problem['race']['seeds'], 'seed')}"
        )
    if goal is not None:
        what += f"; the goal is {metric.text(goal)} validation {metric.title}"
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    order = sorted(rows, key=lambda row: -row["training"]["examples_per_second"])
    lines += [f"| {' | '.join(cells(row, metric))} |" for row in order]
    lines += [f"| {name(row)} | {row['reason']} |" for row in problem["rows"] if "reason" in row]
    said = [f"Why: {why(rows)}", *problem["race"].get("remarks", [])]
    return [f"## {problem['title']}", f"{what}.", "\n".join(lines), " ".join(filter(None, said))]


def cells(row: Row, metric: Any) -> list[str]:
    step, goal = row.get("step"), row.get("seconds_to_metric")
    memory = row.get("peak_memory")
    settings = described(Settings(**row["settings"])).removesuffix(" on cpu")
    mark = "**" if row.get("recommended") else ""
    return [
        f"{mark}{name(row)}{mark} {row['version'].split(' on ')[0]}; {settings}",
        f"{row['import_seconds']:.1f} s, {row['compile_seconds']:.1f} s",
        timed(row["training"]),
        timed(row["inference"]),
        f"{lasting(step['fixed'])}, {lasting(step['example'])}" if step else NOTHING,
        gigabytes(memory) if memory else NOTHING,
        to_goal(goal) if goal else NOTHING,
        of_test(row, metric),
    ]


def timed(speed: Mapping[str, Any]) -> str:
    return f"{speed['examples_per_second']:,.0f} ± {speed['spread']:.0%}"


def lasting(milliseconds: float) -> str:
    """`1.25 ms`, or `35.0 µs` of less than one."""
    if milliseconds >= 1:
        return f"{milliseconds:.2f} ms"
    return f"{1e3 * milliseconds:.1f} µs"


def to_goal(goal: Mapping[str, float]) -> str:
    return f"{goal['median']:.1f} s ({goal['lowest']:.1f} to {goal['highest']:.1f})"


def of_test(row: Row, metric: Any) -> str:
    test = row.get("test_metric")
    if not test:
        return NOTHING
    ends = f"{metric.text(test['lowest'])} to {metric.text(test['highest'])}"
    return f"{metric.text(test['mean'])} ({ends})"


def why(rows: Sequence[Row]) -> str:
    """Which part of a step each framework spends on what is for no example in particular."""
    parts = []
    for row in rows:
        step = row.get("step")
        if step:
            whole = step["fixed"] + row["batch"] * step["example"]
            share = step["fixed"] / whole if whole else math.nan
            parts.append((share, f"{name(row)} {share:.0%} of {whole:.1f} ms"))
    if not parts:
        return "a step was not parted."
    typical = median(share for share, _ in parts)
    reason = "arithmetic decides, for which each has kernels of its own"
    if typical > 1 / 3:
        reason = "what is for no example in particular decides; fewer and larger steps help"
    said = ", ".join(text for _, text in sorted(parts))
    return f"of a step this much is spent whatever is in it: {said}. So {reason}."


LIMITS = """There is no GPU here, and no more than a few cores: how frameworks compare on an
accelerator, on many cores or over several machines is another measurement, by the same command on
such a machine. Networks and data are small enough for this one, so that what a step takes whatever
is in it counts for more than in large ones. bfloat16 was left out, for equal arithmetic; `compare`
races it. The networks are this project's, lowered to each framework, and as fast there as written
by hand ([performance](performance.md)). Seconds vary by some 10 % from hour to hour."""


def limits(problems: Sequence[Mapping[str, Any]]) -> str:
    """What the figures are not about; and that the machine was busy, if it was."""
    said = [line for one in problems for line in one["race"].get("remarks", [])]
    if not any("Other work runs" in line for line in said):
        return LIMITS
    return (
        f"{LIMITS} **Other work ran on the machine during some races, which say so: take their "
        "speeds as a trial.**"
    )
