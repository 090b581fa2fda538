"""The perceptron: dense layers only."""

from __future__ import annotations

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Image, Style, positive


def mlp(
    classes: int,
    image: Image,
    *,
    hidden: tuple[int, ...] = (256, 128),
    activation: str = "relu",
    normalization: str = "none",
    dropout: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """A perceptron with a layer for each number in `hidden`.

    x: [n, c, h, w] to logits: [n, classes].

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(activation, normalization, dropout, width, seed)
    problems = positive("hidden", hidden)
    blocks = Blocks("mlp", classes, image, style, problems=problems, gates=True)
    return blocks.classifier(blocks.hidden_layers(blocks.input, hidden))
