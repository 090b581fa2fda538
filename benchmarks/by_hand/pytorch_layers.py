"""Layers of `photographs.py` in PyTorch: modules, made in the first pass, on [n, c, h, w]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

ACTS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "gelu": F.gelu,
    "hard_swish": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
}


class Layers(nn.Module):
    """A network of `photographs.py`; its modules in the order in which it asks for them."""

    def __init__(self, network, classes, side):
        super().__init__()
        self.network, self.classes = network, classes
        self.made, self.next = nn.ModuleList(), 0
        self.forward(torch.zeros(2, 3, side, side))

    def forward(self, x):
        self.next = 0
        return self.network(self, x, self.classes)

    def layer(self, kind, *arguments, **options):
        if self.next == len(self.made):
            self.made.append(kind(*arguments, **options))
        self.next += 1
        return self.made[self.next - 1]

    def conv(self, x, channels, kernel, stride=1, groups=1, bias=False, padding=None):
        padding = kernel // 2 if padding is None else padding
        options = {"groups": groups, "bias": bias}
        return self.layer(nn.Conv2d, x.shape[1], channels, kernel, stride, padding, **options)(x)

    def norm(self, x):
        return self.layer(nn.BatchNorm2d, x.shape[1])(x)

    def last_norm(self, x):
        return self.layer(nn.LayerNorm, x.shape[-1], eps=1e-6)(x)

    def layer_norm(self, x):
        return self.channels_first(self.last_norm(self.channels_last(x)))

    def dense(self, x, features):
        return self.layer(nn.Linear, x.shape[-1], features)(x)

    def dropout(self, x, share):
        return F.dropout(x, share, self.training)

    def gamma(self, x):
        return self.layer(Scale, x.shape[-1])(x)

    def tokens(self, x):
        patches = x.flatten(2).transpose(1, 2)
        return self.layer(Tokens, *patches.shape[1:])(patches)

    def attention(self, x, heads):
        n, count, features = x.shape
        qkv = self.dense(x, 3 * features).view(n, count, 3, heads, -1)
        taken = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
        return self.dense(taken.transpose(1, 2).reshape(x.shape), features)

    @staticmethod
    def act(x, name):
        return ACTS[name](x)

    @staticmethod
    def pool(x, kind, kernel, stride, padding=0):
        return (F.max_pool2d if kind == "max" else F.avg_pool2d)(x, kernel, stride, padding)

    @staticmethod
    def mean(x):
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    @staticmethod
    def flatten(x):
        return x.flatten(1)

    @staticmethod
    def gate(x, y):
        return x * y[:, :, None, None]

    @staticmethod
    def concat(parts):
        return torch.cat(parts, 1)

    @staticmethod
    def halves(x):
        return x.chunk(2, 1)

    @staticmethod
    def shuffle(x):
        n, channels, height, width = x.shape
        return x.view(n, 2, channels // 2, height, width).transpose(1, 2).reshape(x.shape)

    @staticmethod
    def width(x):
        return x.shape[1]

    @staticmethod
    def channels_last(x):
        return x.permute(0, 2, 3, 1)

    @staticmethod
    def channels_first(x):
        return x.permute(0, 3, 1, 2)


class Tokens(nn.Module):
    """One that stands for the picture before those of its patches, each with its place."""

    def __init__(self, count, features):
        super().__init__()
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, features))
        self.places = nn.Parameter(0.02 * torch.randn(1, count + 1, features))

    def forward(self, x):
        return torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places


class Scale(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.full((features,), 1e-6))

    def forward(self, x):
        return x * self.weight
