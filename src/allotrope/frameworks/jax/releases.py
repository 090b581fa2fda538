"""What differs between releases of jaxlib. Imports neither it nor JAX.

Some give results on CPUs that cannot be trusted: the `jax` extra excludes them, and they may be
there all the same. XLA ends the process for an option that it does not know.
"""

from __future__ import annotations

import re
import warnings

WRONG_ON_CPUS = ("0.10.2", "0.11.0")
"""Their reductions in YNNPACK read memory that nobody wrote (docs/decisions.md; jax-ml/jax#39103
and #39257)."""

LAST_WITH_OLDER_EMITTERS = (0, 11, 0)
"""The last release that can leave out XLA's newer emitters of fused loops, which take longer."""


def sooner_compiled(release: str | None) -> dict[str, bool]:
    """XLA's options, beside its level of optimization, with which this release compiles sooner."""
    if release is None or _numbers(release) > LAST_WITH_OLDER_EMITTERS:
        return {}
    return {"xla_cpu_use_fusion_emitters": False}


def flags(release: str | None, optimization: int) -> str:
    """The same as XLA_FLAGS has them, with this level of optimization: 0 is the quickest."""
    options = {**sooner_compiled(release), "xla_backend_optimization_level": optimization}
    return " ".join(f"--{name}={str(value).lower()}" for name, value in options.items())


def _numbers(release: str) -> tuple[int, ...]:
    """(0, 10, 1) of `0.10.1`, of `0.10.1rc1` and of `0.10.1+cuda13`."""
    return tuple(int(digits) for digits in re.findall(r"\d+", release)[:3])


def warn_of_wrong_results(release: str) -> None:
    """Warns where this release of jaxlib is one of them."""
    if release in WRONG_ON_CPUS:
        excluded = ",".join(f"!={other}" for other in WRONG_ON_CPUS)
        text = (
            f"jaxlib {release} can give wrong results on CPUs without saying so (jax-ml/jax#39103)"
        )
        warnings.warn(
            f"{text}; install another: pip install 'jaxlib{excluded}'", RuntimeWarning, stacklevel=2
        )
