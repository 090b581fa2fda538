"""How well the times of a network's parts, measured alone, tell what it takes as a whole.

    python benchmarks/kernel_times.py [--networks resnet8 resnet20 whitened_cnn mobilenet_v2]
        [--runtimes onnxruntime/float32 onnxruntime/int8 openvino/int8] [--threads 1] [--trials 10]

The sum of the parts is fitted to six widths of the whole network; then networks are made whose
layers have random widths, are predicted, and timed as a whole in the same rounds. Printed is how
far the two part, and how large the plain sum of parts is against the whole; with `--widths` also
which widths of each layer are steps of the kernels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from allotrope.measure.kernel_timing import kernel_times
from allotrope.network import zoo
from allotrope.shrinking.groups import groups
from allotrope.shrinking.kernel_times import at_shares
from allotrope.shrinking.layer_widths import narrowable
from allotrope.shrinking.prune import pruned

FORMS = {"float32": "", "bfloat16": "", "int8": "onnxruntime", "nncf": "nncf"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["resnet8", "resnet20", "whitened_cnn", "mobilenet_v2"]
    parser.add_argument("--networks", nargs="+", default=names)
    runtimes = ["onnxruntime/float32", "onnxruntime/int8", "openvino/float32", "openvino/int8"]
    parser.add_argument("--runtimes", nargs="+", default=runtimes)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--widths", action="store_true")
    return parser.parse_args()


def random_widths(network, known, random):
    """The network with layers of random widths around a common share."""
    share = random.uniform(0.15, 1)
    removed = []
    for layer in narrowable(network, known, np.ones(len(known))):
        possible = (layer.width, *layer.widths)
        near = [width for width in possible if abs(width / layer.width - share) < 0.35]
        width = random.choice(near or possible)
        if width < layer.width:
            removed += layer.removed(int(width))
    return pruned(network, removed, known)


def print_steps(times, network, known):
    """The steps of each layer, alike ones in one line."""
    steps_of = times.widths(network, known)
    for layer in narrowable(network, known, np.ones(len(known))):
        steps = " ".join(map(str, steps_of(layer.name, layer.width)))
        print(f"    {layer.name}: {layer.width} -> {steps or 'none'}", flush=True)


def row(name, network, runtime, precision, asked, folder):
    random = np.random.default_rng(1)
    known = groups(network)
    x = random.normal(size=(1, 3, 32, 32)).astype(np.float32)
    inputs = {network.inputs[0].name: x}
    form = FORMS[precision]
    if form:
        precision = "int8"
    with kernel_times(inputs, runtime, precision, form, asked.threads, folder) as times:
        began = time.monotonic()
        left = times.calibrate(network, known)
        calibrated = time.monotonic() - began
        others = [random_widths(network, known, random) for _ in range(asked.trials)]
        predicted = np.array([times.seconds(other) for other in others])
        measured = np.array(times.timed_whole([network, *others]))
        measured, whole = measured[1:], measured[0]
        parted = predicted / measured - 1
        ratio = times.alone(network) / whole
        (narrowest,) = at_shares(network, known, [0.0])
        print(
            f"{name:14} {runtime:12} {form or precision:12} whole {1e6 * whole:6.0f} us, "
            f"narrowest {1e6 * times.seconds(narrowest):5.0f}, sum of parts {ratio:4.2f} of it; "
            f"fit {left:5.1%}; predicted by {np.sqrt(np.mean(parted**2)):5.1%} "
            f"(largest {np.abs(parted).max():5.1%}, mean {parted.mean():+5.1%}) "
            f"of {asked.trials}; {calibrated:.0f} s to fit",
            flush=True,
        )
        if asked.widths:
            print_steps(times, network, known)


def main():
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.networks:
            network = getattr(zoo, name)(10, (3, 32, 32))
            for each in asked.runtimes:
                runtime, precision = each.split("/")
                row(name, network, runtime, precision, asked, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
