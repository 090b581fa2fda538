"""How much faster the candidates of delivery are than PyTorch eager float32, for several networks.

    python benchmarks/delivery.py [NETWORK...]

Weights are as initialized and images are random: speed does not depend on them. Accuracy here is
agreement with float32 on networks that learned nothing, the worst case for int8; no candidate is
rejected. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from allotrope.config import Target
from allotrope.measure.candidates import Split, measure_candidates
from allotrope.measure.machine import cores, machine
from allotrope.measure.rounds import measurement
from allotrope.network import zoo
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.rewriting.named_after import named_after
from allotrope.runtimes import runtime
from allotrope.tasks import Classification
from allotrope.tasks.metric import ACCURACY

NETWORKS = ("cnn", "resnet8", "resnet20", "whitened_cnn")
IMAGE = (3, 32, 32)


def main() -> None:
    print(machine(), measurement(cores()))
    for name in sys.argv[1:] or NETWORKS:
        rows = measured(name)
        baseline = next(row for row in rows if row["baseline"])
        for row in rows:
            print(
                f"{name:13} {row['runtime']:12} {row['precision']:9} {row['form']:12}",
                line(row, baseline),
            )


def measured(name: str) -> list[dict]:
    c, h, w = IMAGE
    network = with_preprocessing(
        zoo.network(name)(classes=10, image=IMAGE), [125.0, 123.0, 114.0], [63.0, 62.0, 67.0]
    )
    network = named_after(network, ["image"], ["probabilities"])
    classes = tuple(f"class {number}" for number in range(10))
    network = Classification(name="probabilities", classes=classes).finish(network)
    images = np.random.default_rng(0).integers(0, 256, (300, h, w, c), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "model.onnx")
        session = runtime("onnxruntime").open(Path(folder) / "model.onnx", "float32")
        inputs = {"image": images}
        labels = session.run(inputs)["probabilities"].argmax(1)
        split = Split(
            inputs, lambda answers: float((answers["probabilities"].argmax(1) == labels).mean())
        )
        splits = {"validation": split, "test": split}
        return measure_candidates(
            network, inputs, splits, Path(folder), Target(max_drop=100), ACCURACY
        )


def line(row: dict, baseline: dict) -> str:
    if "latency_ms" not in row:
        return row["reason"]
    alone, batch = row["latency_ms"], row["batch_latency_ms"]
    gains = [
        baseline[kind]["median"] / row[kind]["median"]
        for kind in ("latency_ms", "batch_latency_ms")
    ]
    return (
        f"batch 1 {alone['median']:7.3f} ms (p90 {alone['p90']:7.3f}) {gains[0]:5.1f}x   "
        f"batch 64 {batch['median']:8.2f} ms ({row['throughput']:7,.0f}/s, spread "
        f"{batch['spread']:.0%}) {gains[1]:5.1f}x   "
        f"agrees {row['validation_metric']:.1%}   {row['size_bytes']:,} B"
    )


if __name__ == "__main__":
    main()
