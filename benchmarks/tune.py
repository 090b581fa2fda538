"""What `tune` gains over the default recipe, and whether its files keep to their limits.

    python benchmarks/tune.py --data ../shared/data/fashion-mnist --budget 30m --fit 5m
    python benchmarks/tune.py --data ../shared/data/fashion-mnist --budget 30m --max-latency 0.1ms

Without limits the recipe that was found is trained for `--fit` with each seed, and so is the
default: printed are both test metrics by seed, their means, and how often the tuned one is better.
With limits the delivered file is measured `--times` times, each time in a fresh process: printed is
how often it was within, beside the search's final trainings, of which the first is the default
recipe in the largest size that is within the limits.
"""

from __future__ import annotations

import argparse
import statistics

import allotrope
from allotrope.config import parse_bytes, parse_seconds
from allotrope.measure.candidates import Candidate, Split, measure
from allotrope.run_words import inside


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--network", default="auto")
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--budget", default="30m", help="time for tune")
    parser.add_argument("--fit", default="5m", help="time for each training that is compared")
    parser.add_argument("--run", help="a run of tune that is there already")
    parser.add_argument("--max-latency")
    parser.add_argument("--max-size")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--measure-threads", type=int, default=1)
    parser.add_argument("--out", default="runs")
    return parser.parse_args()


def common(asked):
    return {
        "network": asked.network,
        "framework": asked.framework,
        "threads": asked.threads,
        "measure_threads": asked.measure_threads,
        "saliency": False,
        "out": asked.out,
    }


def tuned(asked):
    limits = {"max_latency": asked.max_latency, "max_size": asked.max_size}
    if asked.run is not None:
        return allotrope.tune(resume=asked.run)
    return allotrope.tune(asked.data, budget=asked.budget, **limits, **common(asked))


def test_metric(run):
    """Of the trained network in float32: the first task's metric."""
    task = run._tasks()[0]
    account = run.json["test"]
    return account.get(task.name, account)[task.metric.name], task.metric


def compared(asked, search):
    """The tuned recipe and the default, each trained with the same seeds."""
    pairs = []
    for seed in range(asked.seeds):
        options = {"budget": asked.fit, "seed": seed, "quiet": True, **common(asked)}
        default = allotrope.fit(asked.data, **options)
        better = allotrope.fit(asked.data, tuned=search.folder, **options)
        (one, metric), (other, _) = test_metric(default), test_metric(better)
        pairs.append((one, other))
        shown = f"default {metric.text(one)}, tuned {metric.text(other)}"
        print(f"seed {seed}: {shown} ({metric.change(one, other)})", flush=True)
    means = [statistics.fmean(values) for values in zip(*pairs, strict=True)]
    wins = sum(metric.better(other, one) for one, other in pairs)
    print(f"tuned is better in {wins} of {len(pairs)} seeds")
    shown = f"default {metric.text(means[0])}, tuned {metric.text(means[1])}"
    print(f"means: {shown} ({metric.change(*means)})")


def within_limits(asked, run):
    """How often the delivered file, measured anew, keeps to both limits."""
    row = run.json["delivered"]
    if row is None:
        print(f"nothing delivered: {run.json['nearest_miss']['reason']}")
        return
    size, latencies = run.delivered.stat().st_size, []
    inputs = allotrope.read(asked.data).taken("test")
    for _ in range(asked.times):
        candidate = Candidate(row["runtime"], row["precision"], run.delivered)
        split = {"validation": Split(inputs, lambda answers: 0.0)}
        (measured,) = measure([candidate], inputs, split, asked.measure_threads)
        latencies.append(measured["latency_ms"]["median"])
    most_ms = 1e3 * parse_seconds(asked.max_latency) if asked.max_latency else float("inf")
    most_bytes = parse_bytes(asked.max_size) if asked.max_size else float("inf")
    fast = sum(latency <= most_ms for latency in latencies)
    print(f"within {most_ms:.4g} ms: {fast} of {len(latencies)}, largest {max(latencies):.4g} ms")
    print(f"{size:,} bytes, at most {most_bytes:,.0f}: {size <= most_bytes}")


def against_default(run):
    """The search's own finals: the default in the largest size within the limits, by validation."""
    verdict = inside(run.json["tuning"])["verdict"]
    metric = run._tasks()[0].metric
    for row in verdict["standings"]:
        name = "default that fits" if row["is_default"] else f"trial {row['trial']}"
        print(f"{name}: validation {metric.text(row['mean'])} (sd {row['deviation']:.4f})")
    print(f"verdict: {verdict['reason']}")


def main():
    asked = arguments()
    search = tuned(asked)
    print(search)
    against_default(search)
    if asked.max_latency or asked.max_size:
        within_limits(asked, search)
    else:
        compared(asked, search)


if __name__ == "__main__":
    main()
