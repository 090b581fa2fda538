"""The steps that answer: the dense layer, the softmax, and the gradients that go back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.explaining.followed import Followed
from allotrope.explaining.way import Dense
from allotrope.report.explained.first_steps import WIDEST
from allotrope.report.explained.liveliest import shown
from allotrope.report.explained.panels import (
    Bars,
    Panel,
    TableRow,
    Tiles,
    WayStep,
    number,
    plain_tile,
    signed_grid,
    signed_tile,
)
from allotrope.report.formatting import percent
from allotrope.wording import counted

STRONGEST = 6
MOST_CLASSES = 10


def dense_step(way: Followed, names: Sequence[str]) -> WayStep:
    """The last layer, which adds up what speaks for each answer."""
    title, layers = "Dense layer", way.way.dense
    if not layers:
        lines = [
            "This network has no dense layer: its last convolution makes a map of each answer, and "
            "the mean of a map is the score."
        ]
        return WayStep("dense", title, lines, [], True)
    last = layers[-1]
    lines = [_sizes(way, layers)]
    weights = way.arrays[last.weights]
    row = weights[:, way.winner] if last.turned else weights[way.winner]
    features = way.arrays[last.taken].reshape(-1)
    products = features * row
    bias = float(way.arrays[last.bias].reshape(-1)[way.winner]) if last.bias else 0.0
    score = float(way.arrays[last.made][way.winner])
    lines.append(
        f"The score of {names[way.winner]} is the sum of {counted(len(products), 'product')}: "
        f"those above 0 give {number(float(products[products > 0].sum()))}, those below "
        f"{number(float(products[products < 0].sum()))}, the bias {number(bias)}; together "
        f"{number(score)}."
    )
    return WayStep("dense", title, lines, _products(features, row, products, names[way.winner]))


def _sizes(way: Followed, layers: Sequence[Dense]) -> str:
    counts = [way.arrays[layers[0].taken].size, *(way.arrays[each.made].size for each in layers)]
    what = "All that is left of the maps"
    if not way.way.convolutions:
        what = "The picture"
    chain = " → ".join(f"{count:,}" for count in counts)
    return (
        f"{what} stands in a row now: {chain} numbers. In a dense layer each number of the next "
        "row is a sum over all of the row before, each times a weight."
    )


def _products(
    features: np.ndarray, row: np.ndarray, products: np.ndarray, name: str
) -> list[Panel]:
    order = np.argsort(-products, kind="stable").tolist()
    most = float(np.abs(products).max()) or 1.0
    panels: list[Panel] = []
    for title, places in (
        (f"What speaks most for {name}", order[:STRONGEST]),
        (f"What speaks most against {name}", order[::-1][:STRONGEST]),
    ):
        rows = [
            TableRow(
                (
                    f"number {place}",
                    number(float(features[place])),
                    number(float(row[place])),
                    number(float(products[place])),
                ),
                abs(float(products[place])) / most,
                below=bool(products[place] < 0),
            )
            for place in places
        ]
        panels.append(Bars(title, ("", "number", "× weight", "= product"), rows))
    return panels


def answer_step(way: Followed, names: Sequence[str]) -> WayStep:
    """How scores become shares."""
    title = "Softmax"
    logits = way.arrays[way.way.logits].reshape(-1).astype(np.float64)
    if way.way.ending == "Sigmoid":
        lines = [
            "This network has no softmax, because several labels may hold at once: each score z "
            "becomes 1 / (1 + exp(−z)) by itself, and all above a half are the answer."
        ]
        return WayStep(
            "softmax", "Sigmoid in place of softmax", lines, [_shares(way, logits, names)]
        )
    if way.way.ending != "Softmax":
        lines = [
            f"This network has no softmax, because it answers with a quantity: {names[0]} = "
            f"{number(float(way.shares[0]))}."
        ]
        return WayStep("softmax", title, lines, [], True)
    lines = [
        *_tempered(way, logits),
        "Softmax makes shares of the scores z: each becomes exp(z), over the sum of all. They add "
        f"up to 1; {names[way.winner]} has {percent(float(way.shares[way.winner]))}.",
    ]
    if way.way.voices > 1:
        lines.append(
            f"The answer is the mean of {way.way.voices} networks; the scores are of the first."
        )
    return WayStep("softmax", title, lines, [_shares(way, logits, names)])


def _tempered(way: Followed, logits: np.ndarray) -> list[str]:
    """That scores are divided by a temperature first, if they are."""
    if not way.way.dense or way.way.dense[-1].made == way.way.logits:
        return []
    raw = way.arrays[way.way.dense[-1].made].reshape(-1)
    place = int(np.abs(raw).argmax())
    if raw.shape != logits.shape or not logits[place]:
        return []
    ratio = float(raw[place]) / float(logits[place])
    return [
        f"First all scores are divided by {number(ratio)}, the temperature at which shares were "
        "right as often as they say on validation data."
    ]


def _shares(way: Followed, logits: np.ndarray, names: Sequence[str]) -> Bars:
    softmax = way.way.ending == "Softmax"
    powers = np.exp(logits - logits.max())
    own = powers / powers.sum() if softmax else 1 / (1 + np.exp(-logits))
    order = np.argsort(-own, kind="stable")[:MOST_CLASSES].tolist()
    rows = [
        TableRow(
            (
                names[place],
                number(float(logits[place])),
                *((number(float(powers[place])),) if softmax else ()),
                percent(float(own[place])),
            ),
            float(own[place]),
            chosen=place == way.winner,
        )
        for place in order
    ]
    head = ("", "score z", *(("exp(z − largest)",) if softmax else ()), "share")
    note = "" if len(order) == len(names) else f"The first {len(order)} of {len(names)}."
    return Bars("From scores to shares", head, rows, note)


def gradient_step(way: Followed, names: Sequence[str], channel: int | None) -> WayStep:
    """Slopes back along the way: to the pixels, and to the weights."""
    lines = [
        "Backwards the chain rule tells for each number how the result would change with it. By "
        f"the pixels: orange ones would raise the score of {names[way.winner]} if they were "
        "brighter, blue ones if they were darker.",
        _of_loss(way, names),
    ]
    panels: list[Panel] = [_on_pixels(way, names)]
    learning = [each for each in way.way.convolutions if each.kernels in way.to_weights]
    if not learning:
        lines.append("There are no kernels that learn, so that there is no gradient of any.")
        return WayStep("gradient", "Gradient", lines, panels)
    convolution = learning[0]
    if convolution is not way.way.convolutions[0]:
        channel = None
        lines.append(f"The first kernels do not learn: these are of {convolution.node.label}.")
    slopes = way.to_weights[convolution.kernels].astype(np.float64)
    kernels = way.arrays[convolution.kernels].astype(np.float64)
    if channel is None:
        channel = int(np.abs(slopes).reshape(len(slopes), -1).max(axis=1).argmax())
    panels += _on_kernels(kernels, slopes, channel)
    return WayStep("gradient", "Gradient", lines, panels)


def _of_loss(way: Followed, names: Sequence[str]) -> str:
    if way.way.ending != "Softmax":
        return "By the kernels: how the result changes with each of their numbers."
    return (
        f"By the kernels: if the picture is {names[way.label]}, the loss −log(share) is "
        f"{number(way.loss)}, and training would move each number of a kernel a little against "
        "its slope. The surer a right answer is, the smaller are all slopes."
    )


def _on_pixels(way: Followed, names: Sequence[str]) -> Tiles:
    slopes = way.to_pixels.mean(axis=-1)
    most = float(np.quantile(np.abs(slopes), 0.995)) or float(np.abs(slopes).max())
    tiles = [
        plain_tile(way.picture, "the picture", width=196),
        signed_tile(slopes, most, f"slope of the score of {names[way.winner]}", width=196),
    ]
    return Tiles("By the pixels", tiles)


def _on_kernels(kernels: np.ndarray, slopes: np.ndarray, channel: int) -> list[Panel]:
    flat = np.abs(slopes)
    most = float(flat.max())
    drawn = shown(slopes.reshape(len(slopes), -1, 1), channel)
    depth = slopes.shape[1] ** 0.5
    tiles = [
        signed_tile(slopes[p].mean(axis=0) * depth, most, str(p), p == channel, 60) for p in drawn
    ]
    note = f"The largest slope is {number(most)}."
    panels: list[Panel] = [Tiles("By the kernels", tiles, note)]
    if max(kernels.shape[2:]) > WIDEST:
        return panels
    panels.append(
        signed_grid(f"Kernel {channel}", kernels[channel, 0], float(np.abs(kernels[channel]).max()))
    )
    own = slopes[channel, 0]
    scale = 10.0 ** np.floor(np.log10(max(float(np.abs(own).max()), 1e-30)))
    power = round(float(np.log10(scale)))
    panels.append(
        signed_grid(
            f"its slopes, in 10^{power}".replace("-", "−"),
            own / scale,
            float(np.abs(own).max()) / scale,
        )
    )
    return panels
