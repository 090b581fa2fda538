"""A network learns from the labels and from what the network as it came answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allotrope.config import Recipe
from allotrope.network.network import Network
from allotrope.shrinking.distill import distillation
from allotrope.training.checkpoints import resumable
from allotrope.training.loop import Trained, train
from allotrope.verbs.pipeline.asked_teacher import asked_teacher, teaching_quantizer
from allotrope.verbs.pipeline.competitors import (
    Competitor,
)
from allotrope.verbs.pipeline.first_batches import first_batches
from allotrope.verbs.pipeline.shrunk_values import (
    Before,
    CutNetwork,
    TaughtCut,
    Workbench,
)


def taught(bench: Workbench, before: Before, cut: CutNetwork, folder: Path) -> TaughtCut:
    """The cut network trained by the whole one; from the newest checkpoint, if there is one."""
    has_learned = bool(cut.facts.get("has_learned", True))
    result = _trained(bench, before, cut.network, cut.recipe, has_learned, folder)
    bench.show.close()
    return TaughtCut(cut, result.network, _of_training(result), result.history)


def learned_by_teacher(
    bench: Workbench, before: Before, competitor: Competitor, recipe: Recipe
) -> Trained:
    """A competitor after a training that leaves nothing behind."""
    return _trained(bench, before, competitor.network, recipe, competitor.has_learned)


def _trained(
    bench: Workbench,
    before: Before,
    network: Network,
    recipe: Recipe,
    has_learned: bool,
    folder: Path | None = None,
) -> Trained:
    """A network that learned from labels and from the whole network's answers."""
    plan = bench.plan
    example = next(first_batches(plan, recipe)).inputs
    quantizer = teaching_quantizer(before, plan.tasks[0].metric)
    with asked_teacher(
        plan.network, example, plan.settings, bench.show, quantizer=quantizer
    ) as answers:
        teaching = distillation(
            plan.network, plan.data, recipe, plan.framework, plan.settings, answers=answers
        )
        return train(
            network,
            plan.data,
            recipe,
            plan.settings,
            plan.framework,
            folder,
            bench.show,
            resume=folder is not None and resumable(folder / "checkpoints"),
            has_learned=has_learned,
            teaching=teaching,
        )


def _of_training(result: Trained) -> dict[str, Any]:
    return {
        "epochs": result.epochs,
        "steps": result.steps,
        "best_epoch": result.best["epoch"],
        "stopped": result.stopped,
        "seconds": result.seconds,
        "examples_per_second": result.examples_per_second,
    }
