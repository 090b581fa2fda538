"""What `shrink` makes of a run: latency, size and metric before and after, and whether it holds.

    python benchmarks/shrinking.py --data ../shared/data/fashion-mnist --fit 5m --budget 15m
    python benchmarks/shrinking.py --run runs/cifar10-1 --max-latency 0.33x --budget 15m

Without --run a network is fitted first. The file that was delivered before and the one that shrink
delivers are then measured `--times` times in the same rounds, each time in fresh processes; how
often the target was met is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import allotrope
from allotrope.measure.candidates import Candidate, Split, measure


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="what fit trains on, if no run is named")
    parser.add_argument("--run", type=Path, help="a run of fit")
    parser.add_argument("--fit", default="5m", help="time for fit")
    parser.add_argument("--network", default="auto")
    parser.add_argument("--max-latency", default="0.25x")
    parser.add_argument("--max-size")
    parser.add_argument("--max-drop", type=float, default=0.5)
    parser.add_argument("--budget", default="15m")
    parser.add_argument("--threads", type=int, help="of trainings, all cores by default")
    parser.add_argument("--measure-threads", type=int, default=1, help="of the files")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--out", default="runs")
    return parser.parse_args()


def threads_of(asked):
    return {"threads": asked.threads, "measure_threads": asked.measure_threads}


def fitted(asked):
    options = {"budget": asked.fit, "network": asked.network, **threads_of(asked)}
    return allotrope.fit(asked.data, out=asked.out, **options).folder


def candidate(run, name):
    row = run.json["before"]["today"] if name == "before" else run.json["delivered"]
    return Candidate(row["runtime"], row["precision"], run.folder / row["file"])


def measured(run, names, inputs, threads):
    """Milliseconds of each file, side by side."""
    split = Split(inputs, lambda answers: 0.0)
    rows = measure([candidate(run, name) for name in names], inputs, {"validation": split}, threads)
    return [row["latency_ms"]["median"] for row in rows]


def main():
    asked = arguments()
    source = asked.run or fitted(asked)
    options = {"max_latency": asked.max_latency, "max_size": asked.max_size}
    options |= {"max_drop": asked.max_drop, "budget": asked.budget, **threads_of(asked)}
    run = allotrope.shrink(source, out=asked.out, **options)
    print(run)
    if run.delivered is None:
        return
    data = allotrope.read(run.json["origin"]["reading"]["data"])
    inputs = {name: x[:64] for name, x in data.taken("validation").items()}
    times = [
        measured(run, ["before", "delivered"], inputs, asked.measure_threads)
        for _ in range(asked.times)
    ]
    before, after = np.array(times).T
    print(
        f"before {np.median(before):.4f} ms, delivered {np.median(after):.4f} ms: "
        f"{np.median(before / after):.2f} times as fast ({min(before / after):.2f} to "
        f"{max(before / after):.2f}) in {asked.times} measurements"
    )
    limit = run.json["target"]["max_latency"]
    if limit is not None:
        print(f"within {limit:.4f} ms: {np.sum(after <= limit)} of {asked.times}")


if __name__ == "__main__":
    main()
