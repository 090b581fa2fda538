"""What `fit` gives back: the run folder and, in a few lines, what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.errors import UsageError
from allotrope.run_words import by_task, inside
from allotrope.wording import counted

if TYPE_CHECKING:
    from allotrope.tasks import Task
    from allotrope.verbs.predict import Predictions

EXIT_CODES = {"done": 0, "failed": 1, "target-missed": 3, "interrupted": 130}


@dataclass(frozen=True)
class FittedRun:
    """A finished run. `json` is what its run.json holds; printed, it is a summary."""

    folder: Path
    json: dict[str, Any]

    @property
    def delivered(self) -> Path | None:
        """The delivered file, None if no candidate met the target."""
        row = self.json.get("delivered")
        return None if row is None else self.folder / row["file"]

    @property
    def exit_code(self) -> int:
        """0 done, 3 if the target was missed, 130 if Ctrl-C stopped it and its best is there."""
        return EXIT_CODES[self.json["status"]]

    def predict(
        self,
        *examples: Any,
        top: int = 5,
        threads: int | None = None,
        encoding: str | None = None,
    ) -> Predictions:
        """The delivered file's answers for files, folders, tables, arrays by column, a data frame.

        Those of a frame or of arrays are in the order of their rows; one of a pandas frame has its
        name as `index`, if it has one.

        Raises: as `allotrope.predict`, and DataError for arrays that do not fit.
        """
        from allotrope.data.sources.frames.data_frames import columns_in_memory
        from allotrope.verbs.predict import predict, predict_arrays

        taken = [columns_in_memory(one) for one in examples]
        if len(taken) == 1 and isinstance(taken[0], Mapping):
            answers = predict_arrays(self.folder, taken[0], threads)
            index = getattr(taken[0], "index", None)
            if index is not None:
                for row, name in zip(answers.json, index, strict=True):
                    row["index"] = name
            return answers
        files = [one for one in taken if isinstance(one, (str, Path))]
        if len(files) < len(taken):
            raise UsageError("arrays by column are one mapping, without files beside it.")
        return predict(self.folder, *files, top=top, threads=threads, encoding=encoding)

    def __str__(self) -> str:
        lines = ["", *self._trees(), *self._scores(), *self._delivery()]
        if self.json["status"] == "interrupted":
            verb = self.json.get("kind", "fit")
            lines.append(f"stopped early  go on with: allotrope {verb} --resume {self.folder}")
        return "\n".join([*lines, f"report         {self.folder / 'report.html'}"])

    def _trees(self) -> list[str]:
        """How well boosted trees answer on the same rows, if there are such candidates."""
        from allotrope.verbs.pipeline.rivals import trees_in_words

        return trees_in_words(map(inside, self.json.get("candidates", ())), self._tasks()[0])

    def _scores(self) -> list[str]:
        """A line for each task, by its metric; of several, which one decides."""
        data, tasks = self.json["data"], self._tasks()
        lines = []
        for task in tasks:
            account = by_task(self.json["test"], data)[task.name]
            named = ""
            if len(tasks) > 1 or task.metric.relative:
                named = f"{task.name}{' (decides)' * (task is tasks[0] and len(tasks) > 1)}: "
            title = f"test {task.metric.title}"
            figure = f"{named}{_figure(account, task)}"
            lines.append(
                f"{title:13}  {figure} on {counted(data['test'], 'example', str)} that took no "
                "part in any choice"
            )
        return lines

    @property
    def missed_limits(self) -> dict[str, str]:
        """The limits on latency and size that even the nearest candidate misses, as arguments."""
        missed, target = self.json.get("nearest_miss"), self.json.get("target") or {}
        if missed is None:
            return {}
        most_ms, most_bytes = target.get("max_latency"), target.get("max_size")
        limits = {}
        if most_ms is not None and missed["latency_ms"]["median"] > most_ms:
            limits["max_latency"] = f"{most_ms:g}ms"
        if most_bytes is not None and missed["size_bytes"] > most_bytes:
            limits["max_size"] = str(most_bytes)
        return limits

    def _tasks(self) -> list[Task]:
        """The one that decides is the first."""
        from allotrope.tasks import task_of

        return [task_of(facts) for facts in self.json["data"]["tasks"]]

    def _delivery(self) -> list[str]:
        """What was delivered, or why nothing was."""
        tasks = self._tasks()
        deciding = tasks[0]
        named = deciding.metric.title
        if len(tasks) > 1 or deciding.metric.relative:
            named += f" of {deciding.name}"
        best, missed = self.json.get("delivered"), self.json.get("nearest_miss")
        if best is not None:
            gain = _gain(best, self.json["candidates"])
            figures = _figures(best, deciding, named)
            return [f"delivered      {self.folder / best['file']}: {figures}{gain}"]
        if missed is not None:
            nearest = _figures(missed, deciding, named)
            return [
                f"delivered      nothing: no candidate meets the target. Nearest: {nearest}",
                f"               {missed['reason']}",
                *self._to_shrink(),
            ]
        return [
            "delivered      nothing: no candidate could be measured; their reasons stand in the "
            "report"
        ]

    def _to_shrink(self) -> list[str]:
        """The command that cuts the network until it is fast and small enough, if it is not."""
        limits = self.missed_limits
        if not limits or self.json.get("kind") == "shrink":
            return []
        words = (f"--{name.replace('_', '-')} {limit}" for name, limit in limits.items())
        command = " ".join([f"allotrope shrink {self.folder}", *words])
        return [f"               a smaller network may: {command}"]


def _figure(account: Mapping[str, Any], task: Task) -> str:
    name = task.metric.name
    value, area = account[name], account.get("auc")
    text = "-" if value is None else task.metric_text(value)
    return text if area is None or name == "auc" else f"{text}, AUC {area:.4f},"


def _figures(candidate: Mapping[str, Any], task: Task, named: str) -> str:
    """Its numbers; `named` is the metric that decides."""
    latency, size = candidate["latency_ms"]["median"], candidate["size_bytes"]
    value = inside(candidate)["test_metric"]
    return (
        f"{_form(candidate)}{candidate['runtime']} {candidate['precision']}, "
        f"{latency:.3g} ms an example, "
        f"{candidate['throughput']:,.0f} examples/s, {size / 1e6:.3g} MB, "
        f"test {named} {task.metric_text(value)}"
    )


def _form(candidate: Mapping[str, Any]) -> str:
    """`the boosted trees in `, if the candidate is not the network alone."""
    from allotrope.measure.choice import CALLED

    form = CALLED.get(candidate.get("form", ""))
    return f"{form} in " if form else ""


def _gain(best: Mapping[str, Any], candidates: list[dict[str, Any]]) -> str:
    measured = [row for row in candidates if row.get("baseline") and row.get("latency_ms")]
    baseline = next(iter(measured), None)
    if baseline is None or baseline["file"] == best["file"]:
        return ""
    alone = baseline["latency_ms"]["median"] / best["latency_ms"]["median"]
    batches = best["throughput"] / baseline["throughput"]
    usual = f"{baseline['runtime']} {baseline['precision']}"
    return (
        f"\n               {alone:.1f}x the speed of {usual} on one example, {batches:.1f}x in "
        "batches"
    )


@dataclass(frozen=True)
class JoinedRun(FittedRun):
    """The run that another process made, of which this one computed a part.

    Its folder is on the machine of rank 0, which alone prints what came out.
    """

    silent = True
