"""Networks built in code: `allotrope.networks`.

One family a file, weight names as in torchvision and timm.
"""

from __future__ import annotations

from collections.abc import Callable

from allotrope.errors import UsageError, unknown_name
from allotrope.network.network import Network
from allotrope.network.zoo.convnext import convnext_atto, convnext_tiny
from allotrope.network.zoo.convolutional import cnn
from allotrope.network.zoo.dense import mlp
from allotrope.network.zoo.densenet import densenet121
from allotrope.network.zoo.efficientnet import efficientnet_b0
from allotrope.network.zoo.mobile import mobilenet_v2
from allotrope.network.zoo.mobile_v1 import mobilenet_v1
from allotrope.network.zoo.mobile_v3 import mobilenet_v3_large, mobilenet_v3_small
from allotrope.network.zoo.ngram import Terms, ngram
from allotrope.network.zoo.published_weights import load_safetensors
from allotrope.network.zoo.recurrent_text import gru, lstm
from allotrope.network.zoo.residual import (
    resnet8,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet50,
    resnet56,
)
from allotrope.network.zoo.shufflenet import shufflenet_v2_x0_5, shufflenet_v2_x1_0
from allotrope.network.zoo.squeezenet import squeezenet1_0, squeezenet1_1
from allotrope.network.zoo.tabular import TableStyle, quantile_edges, table_mlp
from allotrope.network.zoo.text_cnn import text_cnn
from allotrope.network.zoo.transformer import EncoderSize, transformer
from allotrope.network.zoo.u_net import unet
from allotrope.network.zoo.vgg import vgg11, vgg11_bn, vgg16, vgg16_bn
from allotrope.network.zoo.vision_transformer import deit_tiny
from allotrope.network.zoo.volumetric import cnn_3d, resnet8_3d, resnet18_3d
from allotrope.network.zoo.whitened import whitened_cnn, whitening_filters

NETWORKS: dict[str, Callable[..., Network]] = {
    build.__name__: build
    for build in (
        mlp,
        cnn,
        whitened_cnn,
        resnet8,
        resnet20,
        resnet32,
        resnet56,
        resnet18,
        resnet34,
        resnet50,
        mobilenet_v2,
        convnext_atto,
        convnext_tiny,
        deit_tiny,
        densenet121,
        efficientnet_b0,
        mobilenet_v1,
        mobilenet_v3_large,
        mobilenet_v3_small,
        shufflenet_v2_x0_5,
        shufflenet_v2_x1_0,
        squeezenet1_0,
        squeezenet1_1,
        vgg11,
        vgg11_bn,
        vgg16,
        vgg16_bn,
    )
}
"""Those that take pictures."""
SEGMENTING: dict[str, Callable[..., Network]] = {"unet": unet}
"""Those that answer for each pixel, for which `fit` has no task."""
VOLUMETRIC: dict[str, Callable[..., Network]] = {
    build.__name__: build for build in (cnn_3d, resnet8_3d, resnet18_3d)
}
"""Those that take volumes."""
TEXT_NETWORKS: dict[str, Callable[..., Network]] = {
    build.__name__: build for build in (ngram, text_cnn, lstm, gru, transformer)
}
"""Those that take texts."""


def network(name: str) -> Callable[..., Network]:
    """The function that builds the network called `name`; it takes (classes, image, …).

    Raises: UsageError for an unknown name, and for a network that no task is for.
    """
    if name in SEGMENTING:
        raise UsageError(
            f"network '{name}' answers for each pixel, and no task here has labels for pixels. "
            f"Build it by allotrope.networks.{name}(classes, image), save it as ONNX, and check, "
            "convert or bench that file."
        )
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    return NETWORKS[name]


__all__ = [
    "NETWORKS",
    "SEGMENTING",
    "TEXT_NETWORKS",
    "VOLUMETRIC",
    "EncoderSize",
    "TableStyle",
    "Terms",
    "cnn",
    "cnn_3d",
    "convnext_atto",
    "convnext_tiny",
    "deit_tiny",
    "densenet121",
    "efficientnet_b0",
    "gru",
    "load_safetensors",
    "lstm",
    "mlp",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "network",
    "ngram",
    "quantile_edges",
    "resnet8",
    "resnet8_3d",
    "resnet18",
    "resnet18_3d",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet50",
    "resnet56",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "table_mlp",
    "text_cnn",
    "transformer",
    "unet",
    "vgg11",
    "vgg11_bn",
    "vgg16",
    "vgg16_bn",
    "whitened_cnn",
    "whitening_filters",
]
