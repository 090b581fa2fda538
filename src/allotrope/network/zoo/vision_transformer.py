"""Vision transformers (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929).

Weight names are timm's. Letters: t tokens, d features of each, e those of a head.
"""

from __future__ import annotations

import math

import numpy as np

from allotrope.network.initialize import truncated_normal
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, PHOTOGRAPH
from allotrope.network.zoo.value_steps import (
    activated_last,
    dense_last,
    multiplied,
    normalized_last,
    reshaped,
    split,
    turned,
)

EPSILON = 1e-6
PATCH = 16
PATCHES_A_SIDE = 7
"""How many patches a side a picture under 64 pixels has at the least, unless it has no more
pixels."""


def deit_tiny(
    classes: int,
    image: Image,
    *,
    depth: int = 12,
    heads: int = 3,
    activation: str = "gelu",
    normalization: str = "layer",
    dropout: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """DeiT-tiny (Touvron et al. 2021, https://arxiv.org/abs/2012.12877), which is ViT-tiny.

    x: [n, c, h, w] to logits: [n, classes]: patches of 16 pixels (of fewer if a side is below 64),
    192 features, 12 layers of attention by 3 heads.

    Raises: UsageError that lists every argument that is wrong.
    """
    problems = [
        f"{name} must be at least 1, found {value}."
        for name, value in (("depth", depth), ("heads", heads))
        if value < 1
    ]
    style = Style(activation, normalization, dropout, width, seed)
    blocks = Blocks("deit_tiny", classes, image, style, smallest=LEAST, problems=problems)
    blocks.initializer = truncated_normal
    x = _tokens(blocks, heads * blocks.scaled(64), _patch(image))
    for number in range(depth):
        x = _layer(blocks, x, f"blocks.{number}", heads)
    x = normalized_last(blocks, x, "norm", EPSILON)
    first = blocks.builder.constant(np.array(0, np.int64), "first")
    token = blocks.builder.add("Gather", [x.name, first], {"axis": 1}, name="token")
    return blocks.classifier(Features(token, x.shape[1:]), "head")


def _patch(image: Image) -> int:
    """The side of a patch in pixels."""
    side = min(image[1:])
    if side >= PHOTOGRAPH:
        return PATCH
    return max(2, 2 ** int(math.log2(max(side / PATCHES_A_SIDE, 1))))


def _tokens(blocks: Blocks, features: int, patch: int) -> Features:
    """One token a patch behind one that stands for the picture, each with its place: [t, d]."""
    x = blocks.convolution(
        blocks.input, "patch_embed.proj", features, patch, stride=patch, padding=0, bias=True
    )
    count = math.prod(x.shape[1:])
    x = turned(blocks, reshaped(blocks, x, (features, count), "patches"), (1, 0), "tokens")
    token = blocks.weight("cls_token", (1, 1, features), truncated_normal)
    places = blocks.weight("pos_embed", (1, count + 1, features), truncated_normal)
    # Zeros where the others are make one sum of both, whatever the number of pictures.
    in_front = blocks.builder.constant(np.array([0, 1, 0, 0, 0, 0], np.int64), "in_front")
    behind = blocks.builder.constant(np.array([0, 0, 0, 0, count, 0], np.int64), "behind")
    patches = blocks.builder.add("Pad", [x.name, in_front], name="patches_padded")
    first = blocks.builder.add("Pad", [token, behind], name="token_padded")
    start = blocks.builder.add("Add", [first, places], name="places")
    embedded = blocks.builder.add("Add", [patches, start], name="embedded")
    return blocks.dropout(Features(embedded, (count + 1, features)), "pos_drop")


def _layer(blocks: Blocks, x: Features, name: str, heads: int) -> Features:
    y = normalized_last(blocks, x, f"{name}.norm1", EPSILON)
    x = blocks.add(x, _attention(blocks, y, f"{name}.attn", heads), f"{name}.attended")
    y = normalized_last(blocks, x, f"{name}.norm2", EPSILON)
    y = activated_last(blocks, dense_last(blocks, y, f"{name}.mlp.fc1", 4 * x.shape[1]))
    y = blocks.dropout(dense_last(blocks, y, f"{name}.mlp.fc2", x.shape[1]), f"{name}.mlp.drop")
    return blocks.add(x, y, f"{name}.add")


def _attention(blocks: Blocks, x: Features, name: str, heads: int) -> Features:
    """[t, d] after each token has taken from all, by each head."""
    count, features = x.shape
    each = features // heads
    query, key, value = (
        reshaped(blocks, part, (count, heads, each), f"{part.name}.heads")
        for part in split(blocks, dense_last(blocks, x, f"{name}.qkv", 3 * features), name, 3, 1)
    )
    query = turned(blocks, query, (1, 0, 2), f"{name}.query")
    root = blocks.builder.constant(np.float32(1 / math.sqrt(each)), f"{name}.root")
    query = multiplied(blocks, query, root, f"{name}.scaled")
    # Keys come turned, ready for the product with queries.
    key = turned(blocks, key, (1, 2, 0), f"{name}.key")
    value = turned(blocks, value, (1, 0, 2), f"{name}.value")
    scores = blocks.builder.add("MatMul", [query.name, key.name], name=f"{name}.scores")
    shares = blocks.builder.add("Softmax", [scores], {"axis": -1}, name=f"{name}.shares")
    taken = blocks.builder.add("MatMul", [shares, value.name], name=f"{name}.taken")
    y = turned(blocks, Features(taken, (heads, count, each)), (1, 0, 2), f"{name}.turned")
    y = reshaped(blocks, y, (count, features), f"{name}.joined")
    return blocks.dropout(dense_last(blocks, y, f"{name}.proj", features), f"{name}.proj_drop")
