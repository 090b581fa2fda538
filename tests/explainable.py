"""Run folders with networks of the zoo as `fit` leaves them, without a training."""

from __future__ import annotations

import json
from pathlib import Path

from allotrope.delivery.finished import finished
from allotrope.inputs.image.image import Image
from allotrope.network import zoo
from allotrope.network.network import Network
from allotrope.network.rewriting.named_after import named_after
from allotrope.run_record import SCHEMA
from allotrope.tasks import Classification

CLASSES = ("cat", "<b>dog</b>", "bird")


def pictured(family: str, side: int = 12, colours: int = 1, **style: object) -> Network:
    """The network as it is delivered: raw pixels in, shares of three classes out."""
    network = getattr(zoo, family)(len(CLASSES), (colours, side, side), **style)
    kind = Image(
        name="picture",
        height=side,
        width=side,
        channels=colours,
        mean=(120.0,) * colours,
        std=(60.0,) * colours,
    )
    network = named_after(kind.prepare(network), ["picture"], ["kind"])
    return finished(network, [kind], [Classification(name="kind", classes=CLASSES)])


def run_folder(folder: Path, network: Network) -> Path:
    """A run whose training ended with this network."""
    folder.mkdir(parents=True)
    network.save(folder / "model.onnx")
    record = {"schema": SCHEMA, "status": "done", "network": "zoo", "framework": "pytorch"}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
