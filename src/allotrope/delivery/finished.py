"""The network that is delivered: answers in the user's terms, and what its inputs and tasks are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.network.columns import columns_of, with_columns
from allotrope.network.network import Network
from allotrope.network.reading.read import read_model
from allotrope.network.rewriting.inference.inference_form import inference_form
from allotrope.tasks import Classification, Task
from allotrope.tasks.embedding_head import without_embeddings
from allotrope.tasks.members import without_members
from allotrope.tasks.uncertainty import without_log_variances

Columns = dict[str, list[dict[str, Any]]]


def finished(network: Network, inputs: Sequence[Input], tasks: Sequence[Task]) -> Network:
    """The trained network with every task's ending behind its output.

    Its metadata names inputs and tasks.
    """
    network = without_members(without_embeddings(without_log_variances(network)))
    for task in tasks:
        network = task.finish(network)
    return with_columns(network, inputs=[each.facts() for each in inputs])


def answering(network: Network, inputs: Sequence[Input]) -> Network:
    """The form of a finished network that answers fastest, for files that nobody trains further."""
    form = inference_form(network)
    for each in inputs:
        form = each.shortened(form)
    return form


def columns_in(file: Path) -> Columns:
    """What a delivered file says of its inputs and tasks; none if it says nothing, as older ones.

    Raises: ModelError if it is no network, or says what cannot be read.
    """
    model = read_model(file)
    return columns_of({entry.key: entry.value for entry in model.metadata_props})


def columns_before(data: Mapping[str, Any]) -> Columns:
    """Inputs and tasks of a file from before they were written down: one picture, one class."""
    channels, height, width = data["image"]
    picture = Image(
        name="image",
        height=height,
        width=width,
        channels=channels,
        value_range=data.get("summary", {}).get("value_range"),
    )
    task = Classification(name="probabilities", classes=tuple(data["classes"]))
    return {"inputs": [picture.facts()], "tasks": [task.facts()]}
