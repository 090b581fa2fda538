"""Whether channels go together here as torch-pruning says: the zoo in both, group by group.

torch-pruning follows PyTorch's autograd through ordinary modules, so each network is converted to
such (`allotrope.convert`). A group is a set of (weight, axis, place); of each output channel of a
convolution or dense layer the group is asked for, and all that both can cut are compared.

    python benchmarks/pruning_oracle.py [resnet8 mobilenet_v2 …]

The exit code is 1 if any network differs.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch
import torch_pruning
from torch import nn

from allotrope.conversion.pytorch.target import write
from allotrope.network import zoo
from allotrope.shrinking.groups import groups

CLASSES, SIDE = 10, 32
NAMES = (*zoo.NETWORKS, *zoo.VOLUMETRIC)
LAYERS = (
    nn.modules.conv._ConvNd,
    nn.Linear,
)
NORMALIZATIONS = (nn.modules.batchnorm._BatchNorm,)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    failures = 0
    for name in parser.parse_args().names:
        try:
            failures += not compared(name)
        except Exception as error:  # noqa: BLE001 - it is counted, with its reason
            failures += 1
            print(f"{name}: not traced: {type(error).__name__}: {str(error)[:300]}", flush=True)
    sys.exit(bool(failures))


def compared(name):
    """Prints how many groups there are, and how many are alike; whether all are."""
    volumes = name in zoo.VOLUMETRIC
    shape = (1, SIDE, SIDE, SIDE) if volumes else (3, SIDE, SIDE)
    build = zoo.VOLUMETRIC[name] if volumes else zoo.network(name)
    network = build(CLASSES, shape)
    ours = {places_of(group) for group in groups(network)}
    theirs = set(of_torch_pruning(module_of(network), torch.randn(2, *shape)))
    same = ours & theirs
    print(f"{name}: {len(ours)} groups here, {len(theirs)} there, {len(same)} the same", flush=True)
    for title, others in (("only here", ours - theirs), ("only there", theirs - ours)):
        for axes, count in Counter(map(axes_of, others)).most_common(5):
            print(f"    {title}, {count} times: {axes}")
    return ours == theirs


def places_of(group):
    """Every place that goes: frozenset of (weight, axis, place)."""
    return frozenset(
        (part.weight, part.axis, place) for part in group.slices for place in part.positions
    )


def axes_of(places):
    """Which axes of which weights, and how many places of each."""
    counts = Counter((weight, axis) for weight, axis, _ in places)
    return ", ".join(
        f"{weight}[{axis}] {count}" for (weight, axis), count in sorted(counts.items())
    )


def module_of(network):
    """The network as ordinary modules of PyTorch."""
    with tempfile.TemporaryDirectory() as folder:
        write(network, Path(folder))
        spec = importlib.util.spec_from_file_location("converted", Path(folder) / "model.py")
        source = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(source)
        return source.load()


def of_torch_pruning(model, x):
    """The group of every output channel of every layer that is not what the network gives."""
    graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=x)
    names = {module: name for name, module in model.named_modules()}
    ends = last_layers(model, x)
    for layer in model.modules():
        if not isinstance(layer, LAYERS) or layer in ends:
            continue
        prune = graph.get_pruner_of_module(layer).prune_out_channels
        for channel in range(len(layer.weight)):
            group = graph.get_pruning_group(layer, prune, idxs=[channel])
            yield frozenset(place for item in group for place in places_cut(item, names))


def last_layers(model, x):
    """The layers whose channels are those of the output: the last that was run."""
    ran = []
    handles = [
        layer.register_forward_hook(lambda layer, *_: ran.append(layer))
        for layer in model.modules()
        if isinstance(layer, LAYERS)
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return ran[-1:]


def places_cut(item, names):
    """The places of one module's weights that go with a group."""
    dependency, places = item
    module = dependency.target.module
    if module not in names:
        return
    prefix = f"{names[module]}."
    cuts_inputs = dependency.handler.__name__ == "prune_in_channels"
    if isinstance(module, NORMALIZATIONS):
        arrays = [("weight", 0), ("bias", 0), ("running_mean", 0), ("running_var", 0)]
    elif not isinstance(module, LAYERS):
        return
    else:
        arrays = [("weight", 1)] if cuts_inputs else [("weight", 0), ("bias", 0)]
    for array, axis in arrays:
        if getattr(module, array, None) is not None:
            yield from ((prefix + array, axis, int(place)) for place in places)


if __name__ == "__main__":
    main()
