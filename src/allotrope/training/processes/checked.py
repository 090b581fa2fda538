"""What of a training several processes cannot make, said before they begin."""

from __future__ import annotations

from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.data.mixtures import Mixing
from allotrope.errors import UsageError
from allotrope.training.teach import Teaching


def check_together(
    size: int, batch_size: int, data: Data, recipe: Recipe, teaching: Teaching | None
) -> None:
    """Raises: one UsageError for all that keeps a batch from being computed in `size` shares."""
    problems = []
    if size > batch_size:
        problems.append(f"a batch has {batch_size} rows, fewer than its {size} shares")
    if recipe.drop_block:
        problems.append("--drop-block scales by the mean over a whole batch")
    if Mixing(data.inputs, recipe).within:
        problems.append("--mixup blends rows within the network, which may lie in two processes")
    if teaching is not None:
        problems.append("a teacher is asked by one process")
    if problems:
        raise UsageError(
            f"several processes cannot train this: {'; '.join(problems)}. Leave that out, or train "
            "in one process."
        )
