"""How long `import allotrope` and `allotrope --help` take, and Python's own start.

The median and the fastest of 20 fresh processes each.

python benchmarks/import_time.py
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python alone": ["-c", "pass"],
    "import allotrope": ["-c", "import allotrope"],
    "allotrope --help": ["-m", "allotrope.cli", "--help"],
    "allotrope fit --help": ["-m", "allotrope.cli", "fit", "--help"],
}


def seconds(arguments: list[str]) -> float:
    """One fresh process, from start to end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


for name, arguments in COMMANDS.items():
    times = [seconds(arguments) for _ in range(20)]
    print(f"{name:22} median {statistics.median(times):.3f} s, fastest {min(times):.3f} s")
