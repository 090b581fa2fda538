"""The zoo's further networks for photographs, as functions over what each framework calls layers.

`net` has the layers: a file each framework (`pytorch_layers.py`, …), where they are what its users
write. x is a feature map as the framework has it.
"""

from __future__ import annotations


def vgg11_bn(net, x, classes):
    for channels, count in ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)):
        for _ in range(count):
            x = net.act(net.norm(net.conv(x, channels, 3, bias=True)), "relu")
        x = net.pool(x, "max", 2, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.dropout(net.act(net.dense(x, 4096), "relu"), 0.5)
    return net.dense(x, classes)


def densenet121(net, x, classes):
    x = net.act(net.norm(net.conv(x, 64, 7, 2)), "relu")
    x = net.pool(x, "max", 3, 2, 1)
    for number, repeats in enumerate((6, 12, 24, 16)):
        if number:
            x = net.conv(net.act(net.norm(x), "relu"), net.width(x) // 2, 1)
            x = net.pool(x, "mean", 2, 2)
        for _ in range(repeats):
            y = net.conv(net.act(net.norm(x), "relu"), 128, 1)
            x = net.concat([x, net.conv(net.act(net.norm(y), "relu"), 32, 3)])
    return net.dense(net.mean(net.act(net.norm(x), "relu")), classes)


def gated(net, x, squeezed, inner, gate):
    y = net.act(net.dense(net.mean(x), squeezed), inner)
    return net.gate(x, net.act(net.dense(y, net.width(x)), gate))


def inverted(net, x, inner, kernel, stride, channels, act, gate=None):
    y = x
    if inner != net.width(x):
        y = net.act(net.norm(net.conv(y, inner, 1)), act)
    y = net.act(net.norm(net.conv(y, inner, kernel, stride, inner)), act)
    if gate is not None:
        y = gated(net, y, *gate)
    y = net.norm(net.conv(y, channels, 1))
    return x + y if stride == 1 and channels == net.width(x) else y


EFFICIENT = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficientnet_b0(net, x, classes):
    x = net.act(net.norm(net.conv(x, 32, 3, 2)), "silu")
    for expansion, kernel, stride, channels, repeats in EFFICIENT:
        for number in range(repeats):
            inner, gate = expansion * net.width(x), (net.width(x) // 4, "silu", "sigmoid")
            own = stride if number == 0 else 1
            x = inverted(net, x, inner, kernel, own, channels, "silu", gate)
    x = net.act(net.norm(net.conv(x, 1280, 1)), "silu")
    return net.dense(net.dropout(net.mean(x), 0.2), classes)


# Kernel, inner and outer channels, what the gate squeezes to, activation, stride.
SMALL = (
    (3, 16, 16, 8, "relu", 2),
    (3, 72, 24, 0, "relu", 2),
    (3, 88, 24, 0, "relu", 1),
    (5, 96, 40, 24, "hard_swish", 2),
    (5, 240, 40, 64, "hard_swish", 1),
    (5, 240, 40, 64, "hard_swish", 1),
    (5, 120, 48, 32, "hard_swish", 1),
    (5, 144, 48, 40, "hard_swish", 1),
    (5, 288, 96, 72, "hard_swish", 2),
    (5, 576, 96, 144, "hard_swish", 1),
    (5, 576, 96, 144, "hard_swish", 1),
)


def mobilenet_v3_small(net, x, classes):
    x = net.act(net.norm(net.conv(x, 16, 3, 2)), "hard_swish")
    for kernel, inner, channels, squeezed, act, stride in SMALL:
        gate = (squeezed, "relu", "hard_sigmoid") if squeezed else None
        x = inverted(net, x, inner, kernel, stride, channels, act, gate)
    x = net.act(net.norm(net.conv(x, 576, 1)), "hard_swish")
    x = net.act(net.dense(net.mean(x), 1024), "hard_swish")
    return net.dense(net.dropout(x, 0.2), classes)


def mobilenet_v1(net, x, classes):
    x = net.act(net.norm(net.conv(x, 32, 3, 2)), "relu6")
    pairs = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5)
    for channels, stride in (*pairs, (1024, 2), (1024, 1)):
        x = net.act(net.norm(net.conv(x, net.width(x), 3, stride, net.width(x))), "relu6")
        x = net.act(net.norm(net.conv(x, channels, 1)), "relu6")
    return net.dense(net.dropout(net.mean(x), 0.001), classes)


def branch(net, x, half, stride):
    y = net.act(net.norm(net.conv(x, half, 1)), "relu")
    y = net.norm(net.conv(y, half, 3, stride, half))
    return net.act(net.norm(net.conv(y, half, 1)), "relu")


def shufflenet_v2_x1_0(net, x, classes):
    x = net.act(net.norm(net.conv(x, 24, 3, 2)), "relu")
    x = net.pool(x, "max", 3, 2, 1)
    for channels, repeats in ((116, 4), (232, 8), (464, 4)):
        half = channels // 2
        y = net.norm(net.conv(x, net.width(x), 3, 2, net.width(x)))
        y = net.act(net.norm(net.conv(y, half, 1)), "relu")
        x = net.shuffle(net.concat([y, branch(net, x, half, 2)]))
        for _ in range(1, repeats):
            first, second = net.halves(x)
            x = net.shuffle(net.concat([first, branch(net, second, half, 1)]))
    return net.dense(net.mean(net.act(net.norm(net.conv(x, 1024, 1)), "relu")), classes)


def squeezenet1_1(net, x, classes):
    x = net.act(net.conv(x, 64, 3, 2, bias=True, padding=0), "relu")
    for squeezed in (0, 16, 16, 0, 32, 32, 0, 48, 48, 64, 64):
        if not squeezed:
            x = net.pool(x, "max", 3, 2)
            continue
        x = net.act(net.conv(x, squeezed, 1, bias=True), "relu")
        small = net.act(net.conv(x, 4 * squeezed, 1, bias=True), "relu")
        large = net.act(net.conv(x, 4 * squeezed, 3, bias=True), "relu")
        x = net.concat([small, large])
    x = net.conv(net.dropout(x, 0.5), classes, 1, bias=True)
    return net.mean(net.act(x, "relu"))


def convnext_atto(net, x, classes):
    x = net.layer_norm(net.conv(x, 40, 4, 4, bias=True, padding=0))
    for number, (channels, repeats) in enumerate(((40, 2), (80, 2), (160, 6), (320, 2))):
        if number:
            x = net.conv(net.layer_norm(x), channels, 2, 2, bias=True, padding=0)
        for _ in range(repeats):
            y = net.channels_last(net.conv(x, channels, 7, 1, channels, bias=True))
            y = net.act(net.dense(net.last_norm(y), 4 * channels), "gelu")
            x = x + net.channels_first(net.gamma(net.dense(y, channels)))
    return net.dense(net.last_norm(net.mean(x)), classes)


def deit_tiny(net, x, classes):
    x = net.tokens(net.conv(x, 192, 16, 16, bias=True, padding=0))
    for _ in range(12):
        x = x + net.attention(net.last_norm(x), 3)
        y = net.act(net.dense(net.last_norm(x), 768), "gelu")
        x = x + net.dense(y, 192)
    return net.dense(net.last_norm(x)[:, 0], classes)


MODELS = {
    each.__name__: each
    for each in (
        vgg11_bn,
        densenet121,
        efficientnet_b0,
        convnext_atto,
        mobilenet_v1,
        mobilenet_v3_small,
        shufflenet_v2_x1_0,
        squeezenet1_1,
        deit_tiny,
    )
}
