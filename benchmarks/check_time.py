"""How long `allotrope check` takes of ONNX files, and whether all frameworks agree.

python benchmarks/check_time.py [FILE ...]

By default of the files in ../shared/data/onnx. Seconds are by the clock and of processors, of all
processes together.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

from allotrope import check

FILES = sorted((Path(__file__).resolve().parents[2] / "shared" / "data" / "onnx").glob("*.onnx"))


def processor_seconds():
    """Of this process and of all that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    parser.add_argument(
        "--frameworks", default=None, help="with commas between them; all by default"
    )
    asked = parser.parse_args()
    names = None
    if asked.frameworks:
        names = asked.frameworks.split(",")
    agrees = True
    for file in asked.files:
        began, used = time.perf_counter(), processor_seconds()
        proof = check(file, frameworks=names)
        print(proof, flush=True)
        figures = {
            "file": file.name,
            "agrees": proof.agrees,
            "seconds": round(time.perf_counter() - began, 1),
            "processor_seconds": round(processor_seconds() - used, 1),
        }
        print(json.dumps(figures), flush=True)
        agrees &= proof.agrees
    sys.exit(not agrees)


if __name__ == "__main__":
    main()
