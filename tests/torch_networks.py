"""Small networks in PyTorch, of the kinds that people export: `torch_exports.py` does it."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional


def conv_norm(inside, outside, kernel, stride=1, groups=1, activation=nn.ReLU):
    """A convolution without bias, BatchNorm, an activation."""
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), activation())


class Residual(nn.Module):
    """The basic block of ResNet-18."""

    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.first = conv_norm(inside, outside, 3, stride)
        self.second = conv_norm(outside, outside, 3, activation=nn.Identity)
        self.shortcut = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = conv_norm(inside, outside, 1, stride, activation=nn.Identity)

    def forward(self, x):
        return functional.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, 8, 3), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Residual(8, 8), Residual(8, 12, 2), Residual(12, 16, 2))
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        x = functional.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1)
        return self.fc(torch.flatten(x, 1))


class SqueezeExcite(nn.Module):
    def __init__(self, channels, linear=False):
        super().__init__()
        self.linear = linear
        layer = nn.Linear if linear else partial(nn.Conv2d, kernel_size=1)
        self.reduce, self.expand = layer(channels, channels // 2), layer(channels // 2, channels)

    def forward(self, x):
        n, c, _, _ = x.shape
        scale = functional.adaptive_avg_pool2d(x, 1)
        scale = scale.view(n, c) if self.linear else scale
        scale = functional.hardsigmoid(self.expand(functional.relu(self.reduce(scale))))
        return x * scale.view(n, c, 1, 1)


class Inverted(nn.Module):
    """The block of MobileNetV3."""

    def __init__(self, inside, outside, wide, stride, linear):
        super().__init__()
        self.expand = conv_norm(inside, wide, 1, activation=nn.Hardswish)
        self.depthwise = conv_norm(wide, wide, 3, stride, wide, nn.Hardswish)
        self.squeeze = SqueezeExcite(wide, linear)
        self.project = conv_norm(wide, outside, 1, activation=nn.Identity)
        self.residual = stride == 1 and inside == outside

    def forward(self, x):
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class MobileNet(nn.Module):
    def __init__(self, linear=False):
        super().__init__()
        self.stem = conv_norm(3, 8, 3, 2, activation=nn.Hardswish)
        self.blocks = nn.Sequential(Inverted(8, 8, 16, 1, linear), Inverted(8, 12, 24, 2, linear))
        self.head = nn.Sequential(
            nn.Linear(12, 16), nn.Hardswish(), nn.Dropout(0.1), nn.Linear(16, 4)
        )

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Shuffle(nn.Module):
    """The block of ShuffleNetV2: half of the channels go through, then both are interleaved."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            conv_norm(half, half, 1),
            conv_norm(half, half, 3, 1, half, nn.Identity),
            conv_norm(half, half, 1),
        )

    def forward(self, x):
        one, other = x.chunk(2, dim=1)
        joined = torch.cat([one, self.branch(other)], dim=1)
        n, c, h, w = joined.shape
        return joined.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class ShuffleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(conv_norm(3, 8, 3, 2), Shuffle(8), Shuffle(8))
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(self.layers(x).mean([2, 3]))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = conv_norm(3, 6, 3)
        self.deep = nn.Sequential(
            nn.MaxPool2d(2), conv_norm(6, 8, 3), nn.MaxPool2d(2), conv_norm(8, 10, 3)
        )
        self.up = nn.ConvTranspose2d(10, 8, 2, 2)
        self.last = nn.Conv2d(14, 2, 3, padding=1)

    def forward(self, x):
        first = self.down(x)
        deep = functional.interpolate(
            self.up(self.deep(first)), size=first.shape[2:], mode="bilinear"
        )
        return self.last(torch.cat([first, deep], 1))


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.layers = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.layers(y)).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, 4), ChannelNorm(8), ConvNeXtBlock(8))
        self.deep = nn.Sequential(ChannelNorm(8), nn.Conv2d(8, 12, 2, 2), ConvNeXtBlock(12))
        self.head = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 4))

    def forward(self, x):
        return self.head(self.deep(self.stem(x)).mean((-2, -1)))


class SelfAttention(nn.Module):
    """Attention whose heads are written out, with a mask and what was computed before."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask=None, past=None):
        n, t, width = x.shape
        parts = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (
            part.view(n, t, self.heads, width // self.heads).transpose(1, 2) for part in parts
        )
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(n, t, width)), (k, v)


class Block(nn.Module):
    """One layer of a transformer, normalized before."""

    def __init__(self, width, heads):
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x, mask=None, past=None):
        y, now = self.attention(self.norm1(x), mask, past)
        x = x + y
        return x + self.layers(self.norm2(x)), now


class ViT(nn.Module):
    def __init__(self, width=12, heads=3):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 17, width))
        self.blocks = nn.ModuleList([Block(width, heads), Block(width, heads)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x, _ = block(x)
        return self.head(self.norm(x)[:, 0])


class WindowAttention(nn.Module):
    """The layer of Swin: attention in windows, perhaps shifted, with a learned relative bias."""

    def __init__(self, width, heads, size, window, shift):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        apart = places[:, None] - places[None] + window - 1
        self.register_buffer("index", apart[..., 0] * (2 * window - 1) + apart[..., 1])
        self.register_buffer("mask", self._mask(size) if shift else None)

    def _mask(self, size):
        """Which pixels of a shifted window were neighbours before: [windows, 1, w * w, w * w]."""
        side = torch.zeros(size, dtype=torch.int64)
        side[-self.window :], side[-self.shift :] = 1, 2
        regions = self._windows((side[:, None] * 3 + side[None])[None, ..., None].float()).squeeze(
            -1
        )
        return torch.where(regions[:, None] == regions[..., None], 0.0, -100.0)[:, None]

    def _windows(self, x):
        """[n, h, w, c] as [n * windows, window * window, c]."""
        n, h, w, c = x.shape
        x = x.view(n, h // self.window, self.window, w // self.window, self.window, c)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, self.window**2, c)

    def _whole(self, x, h, w):
        """What `_windows` took apart."""
        n = x.shape[0] // (h * w // self.window**2)
        x = x.view(n, h // self.window, w // self.window, self.window, self.window, -1)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(n, h, w, -1)

    def forward(self, x):
        _, h, w, width = x.shape
        y = (
            torch.roll(self.norm(x), (-self.shift, -self.shift), (1, 2))
            if self.shift
            else self.norm(x)
        )
        y = self._windows(y)
        m, t, _ = y.shape
        q, k, v = (
            self.qkv(y).reshape(m, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
        scores = scores + self.bias[self.index.view(-1)].view(t, t, -1).permute(
            2, 0, 1
        ).contiguous().unsqueeze(0)
        if self.shift:
            windows = self.mask.shape[0]
            scores = scores.view(m // windows, windows, self.heads, t, t) + self.mask
            scores = scores.view(-1, self.heads, t, t)
        y = self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(m, t, width))
        y = self._whole(y, h, w)
        return x + (torch.roll(y, (self.shift, self.shift), (1, 2)) if self.shift else y)


class Swin(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.layers = nn.Sequential(
            WindowAttention(width, 2, 8, 4, 0), WindowAttention(width, 2, 8, 4, 2)
        )
        self.norm = nn.LayerNorm(4 * width)
        self.reduce = nn.Linear(4 * width, 2 * width, bias=False)
        self.deep = WindowAttention(2 * width, 4, 4, 4, 0)
        self.head = nn.Linear(2 * width, 4)

    def forward(self, x):
        x = self.layers(self.patches(x).permute(0, 2, 3, 1))
        corners = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        x = self.deep(self.reduce(self.norm(torch.cat(corners, -1))))
        return self.head(x.mean((1, 2)))


class Recurrent(nn.Module):
    """A recurrent layer over numbers; its first states are zeros, which exporters write out."""

    def __init__(self, layer, batch_first=True, **options):
        super().__init__()
        self.batch_first = batch_first
        self.layer = layer(5, 6, batch_first=batch_first, **options)
        self.head = nn.Linear(12 if options.get("bidirectional") else 6, 3)

    def forward(self, x):
        states, _ = self.layer(x if self.batch_first else x.transpose(0, 1))
        return self.head(states[:, -1] if self.batch_first else states[-1])


class Bert(nn.Module):
    def __init__(self, width=12, heads=2):
        super().__init__()
        self.words, self.positions = nn.Embedding(30, width), nn.Embedding(16, width)
        self.types, self.norm = nn.Embedding(2, width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList([Block(width, heads), Block(width, heads)])
        self.register_buffer("places", torch.arange(16)[None])
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, input_ids, attention_mask):
        places = self.places[:, : input_ids.shape[1]]
        types = torch.zeros_like(input_ids)
        x = self.norm(self.words(input_ids) + self.positions(places) + self.types(types))
        mask = attention_mask[:, None, None, :].to(x.dtype)
        for block in self.blocks:
            x, _ = block(x, (1.0 - mask) * torch.finfo(x.dtype).min)
        return self.head(torch.tanh(self.pooler(x[:, 0])))


class Gpt(nn.Module):
    """Takes the keys and values of the tokens before, and gives those of all."""

    def __init__(self, width=12, heads=2):
        super().__init__()
        self.words, self.positions = nn.Embedding(30, width), nn.Embedding(32, width)
        self.blocks = nn.ModuleList([Block(width, heads), Block(width, heads)])
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids, past_key_0, past_value_0, past_key_1, past_value_1):
        before, now = past_key_0.shape[2], input_ids.shape[1]
        x = self.words(input_ids) + self.positions(torch.arange(before, before + now))
        seen = torch.ones(before + now, before + now, dtype=torch.bool).tril()[before:]
        pasts, presents = ((past_key_0, past_value_0), (past_key_1, past_value_1)), []
        for block, past in zip(self.blocks, pasts, strict=True):
            x, present = block(x, seen, past)
            presents += present
        return self.norm(x) @ self.words.weight.T, *presents
