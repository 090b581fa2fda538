"""Releases of jaxlib whose results on CPUs cannot be trusted.

The `jax` extra excludes them; they may be there all the same.
"""

from __future__ import annotations

import warnings

WRONG_ON_CPUS = ("0.10.2", "0.11.0")
"""Their reductions in YNNPACK read memory that nobody wrote (docs/decisions.md; jax-ml/jax#39103
and #39257)."""


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
