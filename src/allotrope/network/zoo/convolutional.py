"""The plain convolutional network: convolution + bias, activation, pooling, then dense layers."""

from __future__ import annotations

from allotrope.errors import unknown_name
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import POOLINGS, Blocks, Image, Style, positive


def cnn(
    classes: int,
    image: Image,
    *,
    channels: tuple[int, ...] = (32, 64),
    kernel: int = 3,
    hidden: tuple[int, ...] = (128,),
    pooling: str = "max",
    activation: str = "relu",
    normalization: str = "none",
    dropout: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """A convolution for each number in `channels`, a dense layer for each in `hidden`.

    x: [n, c, h, w] to logits: [n, classes].

    With one of each and phi the activation, sigma the softmax that delivery adds, it computes y =
    sigma(sum_k w_k phi(sum_l w_kl * x_l + b_k)), pooled after phi. Each pooling halves the sides.

    Raises: UsageError that lists every argument that is wrong.
    """
    problems = (
        positive("channels", channels) + positive("hidden", hidden) + positive("kernel", (kernel,))
    )
    if pooling not in POOLINGS:
        problems.append(str(unknown_name("pooling", pooling, POOLINGS)))
    style = Style(activation, normalization, dropout, width, seed)
    smallest = 2 ** len(channels)
    blocks = Blocks("cnn", classes, image, style, smallest=smallest, problems=problems, gates=True)
    x = blocks.input
    for number, count in enumerate(channels, 1):
        wide = blocks.before_activation(blocks.scaled(count))
        x = blocks.convolution(x, f"conv{number}", wide, kernel)
        x = blocks.activation(blocks.normalization(x, f"bn{number}"))
        x = blocks.pooling(x, f"pool{number}", pooling)
    return blocks.classifier(blocks.hidden_layers(x, hidden))
