"""What is put before a network, so that it takes raw pixels; the class names that it carries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype

from allotrope.errors import ModelError, UsageError
from allotrope.network.draft import Draft
from allotrope.network.graph import Dimension, Node, Value
from allotrope.network.names import names_in
from allotrope.network.network import Network

LAYOUTS = {"nchw": "[n, c, h, w]", "nhwc": "[n, h, w, c]", "nhw": "[n, h, w]", "flat": "[n, h * w]"}
"""The forms in which a network may take an image."""

_BYTE = np.dtype(np.uint8)


def with_preprocessing(
    network: Network,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    image: str = "image",
    layout: str = "nchw",
    pixels: tuple[int, int, int] | None = None,
    reverse: bool = False,
) -> Network:
    """A network that takes raw pixels `image`: uint8 [n, h, w, c] in place of its float32 input.

    `mean` and `std` are per channel of the network, in pixel units 0..255; it sees (pixel - mean) /
    std. `layout` is that of its input: nchw, nhwc, nhw for grey images without an axis for it, or
    flat for the rows of grey images one after another. `pixels` are the height, width and channels
    of the images, by default what the network takes; grey ones go to each of its channels.
    `reverse`: the network takes the channels in the other order, BGR.

    Raises: UsageError if the network does not take one image, or `mean` and `std` do not fit its
    channels.
    """
    x = _image_input(network, layout)
    n, h, w, c = _lengths(x, layout)
    scale, offset = _scale_and_offset(c, mean, std)
    height, width, channels = pixels or (h, w, c)
    draft = Draft(names_in(network.graph) | network.weights.keys())
    image = draft.fresh(image)
    ordered = _in_order(draft, image, reverse and channels == 3)
    cast = draft.add("Cast", (ordered,), "pixels", {"to": 1})
    scaled = draft.add("Mul", (cast, draft.constant("pixels.scale", scale)), "pixels.scaled")
    offset_name = draft.constant("pixels.offset", offset)
    shifted = draft.add("Sub", (scaled, offset_name), "pixels.normalized")
    _in_layout(draft, layout, shifted, x.name)
    return _behind_pixels(network, Value(image, _BYTE, (n, height, width, channels)), draft)


def with_raw_pixels(
    network: Network,
    pixels: tuple[int, int, int],
    count: int,
    *,
    layout: str,
    reverse: bool = False,
) -> Network:
    """A network of whole numbers, for `image`: uint8 [n, h, w, c], which reaches it as it is.

    `pixels` are height, width and channels of the images; grey ones go to each of the `count`
    channels that the network takes.
    """
    x, channels = network.inputs[0], pixels[2]
    shape = ((x.shape or ("n",))[0], *pixels)
    draft = Draft(names_in(network.graph) | network.weights.keys())
    image = draft.fresh("image")
    taken = _in_order(draft, image, reverse and channels == 3)
    if count != channels:
        lengths = draft.constant("pixels.channels", np.array([1, 1, 1, count], np.int64))
        taken = draft.add("Expand", (taken, lengths), "pixels.each")
    if x.dtype == _BYTE and layout == "nhwc" and not draft.nodes:
        return network.changed(graph=replace(network.graph, inputs=(replace(x, shape=shape),)))
    if x.dtype == _BYTE:
        _in_layout(draft, layout, taken, x.name)
    else:
        placed = draft.fresh("pixels.placed")
        _in_layout(draft, layout, taken, placed)
        cast = {"to": int(np_dtype_to_tensor_dtype(x.dtype))}
        draft.put(Node("Cast", (placed,), (x.name,), cast, x.name))
    return _behind_pixels(network, Value(image, _BYTE, shape), draft)


def _behind_pixels(network: Network, image: Value, draft: Draft) -> Network:
    """The network behind nodes that make its input of the pixels."""
    x, graph = network.inputs[0], network.graph
    graph = replace(
        graph,
        inputs=(image,),
        nodes=(*draft.nodes, *graph.nodes),
        constants={**graph.constants, **draft.constants},
        values={**graph.values, x.name: x},
    )
    return network.changed(graph=graph)


def _in_order(draft: Draft, image: str, reverse: bool) -> str:
    """The value with the channels in the network's order."""
    if not reverse:
        return image
    order = draft.constant("pixels.order", np.array([2, 1, 0], np.int64))
    return draft.add("Gather", (image, order), "pixels.ordered", {"axis": 3})


def _in_layout(draft: Draft, layout: str, pixels: str, x: str) -> None:
    """Brings [n, h, w, c] to the network's layout, as `x`."""
    match layout:
        case "nchw":
            draft.put(Node("Transpose", (pixels,), (x,), {"perm": (0, 3, 1, 2)}, x))
        case "nhw":
            axes = draft.constant("pixels.axes", np.array([3], np.int64))
            draft.put(Node("Squeeze", (pixels, axes), (x,), {}, x))
        case "flat":
            draft.put(Node("Flatten", (pixels,), (x,), {"axis": 1}, x))
        case _:
            draft.put(Node("Identity", (pixels,), (x,), {}, x))


def _lengths(x: Value, layout: str) -> tuple[Dimension, Dimension, Dimension, Dimension]:
    """n, h, w and c of an input in this layout."""
    shape = x.shape or ()
    if layout == "nchw":
        return shape[0], shape[2], shape[3], shape[1]
    if layout == "nhwc":
        return shape[0], shape[1], shape[2], shape[3]
    return (shape[0], shape[1], shape[2], 1) if layout == "nhw" else (shape[0], None, None, 1)


def class_names(network: Network) -> tuple[str, ...] | None:
    """The class names that the network carries, None where it carries none.

    Raises: ModelError if they are not a list of names.
    """
    text = network.metadata.get("classes")
    if text is None:
        return None
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"metadata 'classes' must be a JSON list of class names, found {text[:80]!r}."
        )
    return tuple(names)


def _image_input(network: Network, layout: str) -> Value:
    if len(network.inputs) == 1:
        x = network.inputs[0]
        if (
            x.dtype == np.float32
            and x.shape is not None
            and len(x.shape) == LAYOUTS[layout].count(",") + 1
        ):
            return x
    inputs = ", ".join(f"'{x.name}' {x.dtype} {x.shape}" for x in network.inputs)
    raise UsageError(
        f"pre-processing goes before one float32 input {LAYOUTS[layout]}; this network takes "
        f"{inputs or 'nothing'}."
    )


def _scale_and_offset(
    channels: Dimension, mean: Sequence[float], std: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    problems = []
    if not len(mean) == len(std) == channels:
        problems.append(
            f"{len(mean)} means and {len(std)} deviations were given for {channels} channels"
        )
    if not np.isfinite([*mean, *std]).all() or min(std, default=1) <= 0:
        problems.append(
            f"means must be finite and deviations above 0, found mean {list(mean)} and std "
            f"{list(std)}"
        )
    if problems:
        raise UsageError(f"pixels cannot be normalized: {'; '.join(problems)}.")
    scale = 1 / np.asarray(std, dtype=np.float64)
    return scale.astype(np.float32), (np.asarray(mean) * scale).astype(np.float32)
