"""Converts real networks and proves each.

These are the files of ../shared/data/onnx, the nine of the onnx wheel, own exports by both of
torch's exporters, and the files of further folders, such as those that `keras_exports.py` and
`optimized_bert.py` write.

python benchmarks/convert_real.py pytorch jax [--only bert vit] [--folders FOLDER ...] [--json FILE]

A line a network and target: the largest difference of an output relative to its largest value, how
many arrays learn, and the operators that are spelled out; or why it was refused. Last lines: how
many of how many were written and proved.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import allotrope
from allotrope.errors import AllotropeError
from allotrope.verbs.convert import TARGETS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import light_networks
import torch_exports

EXPORTS = (
    "bert", "gpt", "vit", "swin", "lstm", "lstm-two-ways", "gru", "gru-time-first",
    "unet", "convnext", "resnet", "mobilenet", "mobilenet-linear", "shufflenet",
)  # fmt: skip
"""Those of tests/torch_exports.py."""


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="+", choices=TARGETS)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    parser.add_argument("--data", default="../shared/data/onnx")
    parser.add_argument("--folders", nargs="*", type=Path, default=[], help="of further ONNX files")
    parser.add_argument("--json", help="a file for the rows")
    return parser.parse_args()


def networks(asked):
    """By name, what gives the network."""
    files = {path.stem: path for path in sorted(Path(asked.data).glob("*.onnx"))}
    files |= {name: partial(light_networks.with_weights, name) for name in light_networks.FILES}
    for folder in asked.folders:
        files |= {f"{folder.name} {path.stem}": path for path in sorted(folder.glob("*.onnx"))}
    for name in EXPORTS:
        for exporter in torch_exports.EXPORTERS:
            files[f"{name} {exporter}"] = partial(torch_exports.exported, name, exporter, None)
    return {
        name: file
        for name, file in files.items()
        if not asked.only or any(part in name for part in asked.only)
    }


def row(name, file, target):
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "out"
        try:
            network = allotrope.load(file() if callable(file) else file)
            record = allotrope.convert(network, folder, to=target).json
        except AllotropeError as error:
            return {
                "name": name,
                "target": target,
                "refused": str(error),
                "seconds": time.perf_counter() - began,
            }
        text = ""
        if (folder / "model.py").exists():
            text = (folder / "model.py").read_text()
        spelled = sorted(set(re.findall(r"\boperators\.(\w+)\(", text)) - {"array"})
    proof = record["proof"]
    return {
        "name": name,
        "target": target,
        "difference": max(proof["differences"].values()),
        "learning": proof["learning"],
        "spelled": spelled,
        "seconds": time.perf_counter() - began,
    }


def shown(record):
    head = f"{record['target']:10s} {record['name']:26s} {record['seconds']:5.0f} s  "
    if "refused" in record:
        return head + f"REFUSED {record['refused'][:600]}"
    spelled = " ".join(record["spelled"])
    return head + f"{record['difference']:.1e}  {record['learning']:3d} learn  {spelled}"


def main():
    asked = options()
    rows = []
    for name, file in networks(asked).items():
        for target in asked.targets:
            rows.append(row(name, file, target))
            print(shown(rows[-1]), flush=True)
    if asked.json:
        Path(asked.json).write_text(json.dumps(rows, indent=1))
    for target in asked.targets:
        own = [one for one in rows if one["target"] == target]
        print(
            f"{target}: {sum('refused' not in one for one in own)} of {len(own)} written and proved"
        )


if __name__ == "__main__":
    main()
