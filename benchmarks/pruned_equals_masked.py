"""Networks without random groups of their weights, held to the same networks with these at zero.

Networks made at random (concatenation, split, reshape, flatten, grouped, depthwise, residual,
transposed, shared weights, attention, recurrence), those of the zoo, the nine of the onnx wheel,
files, and ONNX's own cases with weights in the place of float inputs.

    python benchmarks/pruned_equals_masked.py [--kinds random zoo light file case]
        [--randoms 10000] [--from-seed 0] [--files ../shared/data/onnx/*.onnx]
        [--framework reference]

Each is pruned, compared with the masked one (largest difference by the largest output, at most
1e-5), checked by onnx, opened by ONNX Runtime and read again. Large networks are quicker with
`--framework pytorch`. The last line has the counts; the exit code is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import no_aborts_networks as networks
import numpy as np

from allotrope.measure.random_inputs import random_inputs
from allotrope.shrinking.groups import groups

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pruned_networks import random_network
from pruning import inputs_for, problems, pruned_as_far, some_of, stirred

LENGTH = 192
"""Of free lengths of files."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["random", "zoo"])
    parser.add_argument("--randoms", type=int, default=10_000)
    parser.add_argument("--files", nargs="*", default=[])
    parser.add_argument("--from-seed", type=int, default=0)
    parser.add_argument("--framework", default="reference")
    return parser.parse_args()


def made(kind, name, random):
    """A network and inputs for it."""
    if kind == "random":
        network = random_network(int(name))
        return network, inputs_for(network, random)
    network, inputs = networks.made(name)
    if kind == "file":
        # Some take no maps as small as the others are given.
        free = {n for value in network.inputs for n in value.shape[1:] if isinstance(n, str)}
        inputs = random_inputs(network.inputs, 2, dict.fromkeys({*free, ""}, LENGTH))
    # As they are built, whole groups are 0 or alike, and nothing would be compared.
    return stirred(network, random), inputs


def tried(kind, name, framework, counts):
    """What is wrong with one network, in lines."""
    random = np.random.default_rng(sum(map(ord, name)))
    try:
        network, inputs = made(kind, name, random)
    except Exception as error:  # noqa: BLE001 - it is counted, with its reason
        counts["not made"] += 1
        print(f"{name} is not made: {str(error)[:200]}", flush=True)
        return []
    known = groups(network)
    share = float(random.choice([0.1, 0.4, 0.7]))
    result, removed = pruned_as_far(network, some_of(known, random, share), known)
    counts["groups"] += len(known)
    counts["removed"] += len(removed)
    counts["nothing to remove"] += not removed
    counts.update(f"no rule: {operator}" for operator in known.unknown)
    if not removed:
        return []
    return problems(network, removed, result, inputs, known, framework)


def main():
    asked = arguments()
    counts, start, wrong = Counter(), time.perf_counter(), 0
    for kind in asked.kinds:
        names = map(str, range(asked.from_seed, asked.from_seed + asked.randoms))
        if kind != "random":
            names = networks.names(kind, asked.files)
        for name in names:
            counts[kind] += 1
            try:
                lines = tried(kind, name, asked.framework, counts)
            except Exception as error:  # noqa: BLE001 - it is counted, with its reason
                lines = [f"{type(error).__name__}: {str(error)[:300]}"]
            wrong += bool(lines)
            for line in lines:
                print(f"{name}: {line}", flush=True)
    seconds = round(time.perf_counter() - start)
    print(json.dumps({"wrong": wrong, "seconds": seconds, **counts}))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
