"""Published weights under the names of the zoo: where other libraries call and lay them otherwise.

Each layout is recognized by names that no other has. Names that are the zoo's own stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.network.zoo.keras_layout import from_keras, is_of_keras

Arrays = dict[str, np.ndarray]
WRAPPERS = ("module.", "model.", "_orig_mod.", "backbone.", "encoder.", "net.")
"""What programs that wrap a network put in front of every name."""
# PyTorch's count of the batches that a BatchNorm has seen: it has no meaning in ONNX and decides
# nothing in inference.
COUNTER = re.compile(r"(^|\.)num_batches_tracked$")


@dataclass(frozen=True)
class Rules:
    """How a library's names become the zoo's: patterns and what takes their place, in order."""

    library: str
    known_by: str
    names: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]

    def applied(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """The arrays under their new names."""
        renamed = {}
        for name, array in arrays.items():
            for pattern, new in self.names:
                name, count = re.subn(pattern, new, name)
                if count:
                    break
            renamed[name] = array
        return renamed


def in_zoo_names(arrays: Mapping[str, np.ndarray], names: Collection[str]) -> tuple[Arrays, str]:
    """The arrays as the network with weights of these `names` calls them; whose layout it was."""
    bare = {name: array for name, array in arrays.items() if not COUNTER.search(name)}
    bare = _unwrapped(bare, names)
    if any(is_of_keras(name) for name in bare):
        return from_keras(bare), "Keras"
    family = _family(names)
    for rules in LAYOUTS.get(family, ()):
        if rules.known_by in bare:
            return rules.applied(_joined_attention(bare)), rules.library
    return bare, "the zoo's own"


def _unwrapped(arrays: Arrays, names: Collection[str]) -> Arrays:
    """Without a prefix that all names have, if that makes more of them known."""
    for wrapper in WRAPPERS:
        stripped = {name.removeprefix(wrapper): array for name, array in arrays.items()}
        if _known(stripped, names) > _known(arrays, names):
            return stripped
    return arrays


def _known(arrays: Collection[str], names: Collection[str]) -> int:
    return len(set(arrays) & set(names))


def _family(names: Collection[str]) -> str:
    """The family that a weight's name gives away; empty for one without other layouts."""
    return next((family for name, family in TELLING.items() if name in names), "")


def _joined_attention(arrays: Arrays) -> Arrays:
    """Hugging Face keeps query, key and value apart; here they are one weight, in this order."""
    joined = dict(arrays)
    for name in arrays:
        if ".attention.query." not in name:
            continue
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in arrays for part in parts):
            taken = [joined.pop(part) for part in parts]
            joined[name.replace(".query.", ".qkv.")] = np.concatenate(taken)
    return joined


TELLING = {
    "stem.0.weight": "convnext",
    "pos_embed": "vit",
    "features.1.0.block.0.0.weight": "efficientnet",
    "layer1.0.conv1.weight": "resnet",
    "features.3.squeeze.weight": "squeezenet",
}


def _numbered(match: re.Match[str], step: int = 1, offset: int = 0) -> int:
    """The number of a stage that the first group stands for."""
    return int(match[1]) // step + offset


_EXPANDED = {
    "conv_pw": "0.0",
    "bn1": "0.1",
    "conv_dw": "1.0",
    "bn2": "1.1",
    "se.conv_reduce": "2.fc1",
    "se.conv_expand": "2.fc2",
    "conv_pwl": "3.0",
    "bn3": "3.1",
}
_PLAIN = {
    "conv_dw": "0.0",
    "bn1": "0.1",
    "se.conv_reduce": "1.fc1",
    "se.conv_expand": "1.fc2",
    "conv_pw": "2.0",
    "bn2": "2.1",
}


def _efficient_block(match: re.Match[str]) -> str:
    """timm's block of a stage, of which the first stage does not expand."""
    stage, block, part = int(match[1]), match[2], match[3]
    parts = _EXPANDED if stage else _PLAIN
    return f"features.{stage + 1}.{block}.block.{parts[part]}."


_CONVNEXT_PARTS = {"0": "conv_dw", "2": "norm", "3": "mlp.fc1", "5": "mlp.fc2"}
_RESNET_LAYERS = {"0": "1", "1": "2", "2": "3"}


def _resnet_part(match: re.Match[str]) -> str:
    """Hugging Face's layer of a block: a convolution, or its normalization."""
    stage, block, layer, part = int(match[1]) + 1, match[2], match[3], match[4]
    kind = "conv" if part == "convolution" else "bn"
    return f"layer{stage}.{block}.{kind}{_RESNET_LAYERS[layer]}."


def _fire(match: re.Match[str]) -> str:
    """Caffe's fire module of SqueezeNet 1.0: numbers go on behind each pooling."""
    number = int(match[1])
    place = {2: 3, 3: 4, 4: 5, 5: 7, 6: 8, 7: 9, 8: 10, 9: 12}[number]
    part = {"conv1x1_1": "squeeze", "conv1x1_2": "expand1x1", "conv3x3_2": "expand3x3"}[match[2]]
    return f"features.{place}.{part}."


LAYOUTS: dict[str, tuple[Rules, ...]] = {
    "convnext": (
        Rules(
            "torchvision",
            "features.0.0.weight",
            (
                (r"^features\.0\.", "stem."),
                (
                    r"^features\.(\d+)\.(\d+)\.block\.(\d)\.",
                    lambda m: f"stages.{_numbered(m, 2)}.blocks.{m[2]}.{_CONVNEXT_PARTS[m[3]]}.",
                ),
                (
                    r"^features\.(\d+)\.(\d+)\.layer_scale$",
                    lambda m: f"stages.{_numbered(m, 2)}.blocks.{m[2]}.gamma",
                ),
                (
                    r"^features\.(\d+)\.(\d)\.",
                    lambda m: f"stages.{_numbered(m, 2)}.downsample.{m[2]}.",
                ),
                (r"^classifier\.0\.", "head.norm."),
                (r"^classifier\.2\.", "head.fc."),
            ),
        ),
    ),
    "efficientnet": (
        Rules(
            "timm",
            "conv_stem.weight",
            (
                (r"^conv_stem\.", "features.0.0."),
                (r"^bn1\.", "features.0.1."),
                (r"^blocks\.(\d)\.(\d)\.(se\.conv_\w+|\w+)\.", _efficient_block),
                (r"^conv_head\.", "features.8.0."),
                (r"^bn2\.", "features.8.1."),
                (r"^classifier\.", "classifier.1."),
            ),
        ),
    ),
    "resnet": (
        Rules(
            "Hugging Face",
            "resnet.embedder.embedder.convolution.weight",
            (
                (r"^resnet\.embedder\.embedder\.convolution\.", "conv1."),
                (r"^resnet\.embedder\.embedder\.normalization\.", "bn1."),
                (
                    r"^resnet\.encoder\.stages\.(\d)\.layers\.(\d+)\.shortcut\.(\w+)\.",
                    lambda m: (
                        f"layer{_numbered(m, 1, 1)}.{m[2]}.downsample."
                        f"{int(m[3] == 'normalization')}."
                    ),
                ),
                (
                    r"^resnet\.encoder\.stages\.(\d)\.layers\.(\d+)\.layer\.(\d)\.(\w+)\.",
                    _resnet_part,
                ),
                (r"^classifier\.1\.", "fc."),
            ),
        ),
    ),
    "squeezenet": (
        Rules(
            "Caffe",
            "fire2/conv1x1_1.weight",
            (
                (r"^conv1\.", "features.0."),
                (r"^fire(\d)/(\w+)\.", _fire),
                (r"^conv_final\.", "classifier.1."),
            ),
        ),
    ),
    "vit": tuple(
        Rules(
            "Hugging Face",
            f"{name}.embeddings.cls_token",
            (
                (rf"^{name}\.embeddings\.cls_token$", "cls_token"),
                (rf"^{name}\.embeddings\.position_embeddings$", "pos_embed"),
                (rf"^{name}\.embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
                (
                    rf"^{name}\.encoder\.layer\.(\d+)\.attention\.attention\.qkv\.",
                    r"blocks.\1.attn.qkv.",
                ),
                (
                    rf"^{name}\.encoder\.layer\.(\d+)\.attention\.output\.dense\.",
                    r"blocks.\1.attn.proj.",
                ),
                (rf"^{name}\.encoder\.layer\.(\d+)\.layernorm_before\.", r"blocks.\1.norm1."),
                (rf"^{name}\.encoder\.layer\.(\d+)\.layernorm_after\.", r"blocks.\1.norm2."),
                (rf"^{name}\.encoder\.layer\.(\d+)\.intermediate\.dense\.", r"blocks.\1.mlp.fc1."),
                (rf"^{name}\.encoder\.layer\.(\d+)\.output\.dense\.", r"blocks.\1.mlp.fc2."),
                (rf"^{name}\.layernorm\.", "norm."),
                (r"^classifier\.", "head."),
            ),
        )
        for name in ("vit", "deit")
    ),
}
