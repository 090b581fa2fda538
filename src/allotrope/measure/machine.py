"""What this machine is and what is installed on it, found without importing any of it."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

FEATURES = {
    "AVX2": ("avx2", "hw.optional.avx2_0"),
    "AVX-512": ("avx512f", "hw.optional.avx512f"),
    "VNNI": ("avx512_vnni", "hw.optional.avx512vnni"),
    "AVX-VNNI": ("avx_vnni", ""),
    "AVX512_BF16": ("avx512_bf16", ""),
    "AMX_BF16": ("amx_bf16", ""),
    "AMX_INT8": ("amx_int8", ""),
    "NEON": ("asimd", "hw.optional.neon"),
    "ARM_BF16": ("bf16", "hw.optional.arm.FEAT_BF16"),
    "ARM_I8MM": ("i8mm", "hw.optional.arm.FEAT_I8MM"),
}
"""Processor features that decide speed, as named in Linux's /proc/cpuinfo and macOS's sysctl."""

PACKAGES = (
    "allotrope", "numpy", "onnx", "onnx-ir", "onnxruntime", "openvino", "nncf", "torch",
    "tensorflow", "keras", "jax", "flax", "ai-edge-litert", "scikit-learn", "safetensors", "pillow",
    "optuna",
)  # fmt: skip

_DEVICES = (
    "import torch; print('cuda' if torch.cuda.is_available() else 'mps' if "
    "torch.backends.mps.is_available() else '')"
)


def machine() -> dict[str, Any]:
    """Processor name, usable cores, features that decide speed, memory in bytes, system."""
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "features": cpu_features(),
        "memory": _memory(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def version(package: str) -> str | None:
    """The installed version of a package, whatever it is distributed as, such as tensorflow-cpu.

    None where it is not installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return next((metadata.version(name) for name in _distributions().get(package, ())), None)


_distributions = functools.cache(metadata.packages_distributions)


def versions() -> dict[str, str]:
    """The installed packages that matter here, by name."""
    installed = {package: version(package) for package in PACKAGES}
    return {package: number for package, number in installed.items() if number is not None}


def describe() -> dict[str, Any]:
    """What run.json keeps of where a run was made."""
    return {"machine": machine(), "versions": versions(), "platform": platform.platform()}


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory() -> int | None:
    """The most bytes of memory that this process has held, None where the system does not say."""
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="utf-8").splitlines() if status.is_file() else []:
        if line.startswith("VmHWM:"):  # not getrusage: its figure begins at what the parent held
            return 1024 * int(line.split()[1])
    return None


def cpu_features() -> list[str]:
    """Those of `FEATURES` that this processor has."""
    if sys.platform == "darwin":
        return [name for name, (_, key) in FEATURES.items() if key and _sysctl(key) == "1"]
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return [name for name, (flag, _) in FEATURES.items() if flag in flags]


def accelerator() -> str | None:
    """`cuda` or `mps` where PyTorch sees one.

    Asked in another process unless PyTorch is loaded here already.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        if torch.cuda.is_available():
            return "cuda"
        if torch.backends.mps.is_available():
            return "mps"
        return None
    asked = subprocess.run(
        [sys.executable, "-c", _DEVICES], capture_output=True, text=True, timeout=120, check=False
    )
    return asked.stdout.strip() or None


def _cpu_name() -> str:
    if sys.platform == "darwin":
        name = _sysctl("machdep.cpu.brand_string")
    else:
        name = _cpuinfo("model name")
    return name or platform.processor() or platform.machine()


def _memory() -> int | None:
    """Bytes of memory, None where the system does not say."""
    if sys.platform == "darwin":
        return int(_sysctl("hw.memsize") or 0) or None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _cpuinfo(field: str) -> str:
    """The first value of a field of /proc/cpuinfo, empty where there is none."""
    path = Path("/proc/cpuinfo")
    for line in (
        path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    ):
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return ""


def _sysctl(key: str) -> str:
    asked = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False)
    return asked.stdout.strip()
