"""Whether a value means the same in every scan, as in CT, or only within one, as of MRI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.config import DataOptions
from allotrope.errors import UsageError

MRI = "MR"
"""What DICOM calls magnetic resonance."""
FAR_APART = 2.0
"""If the brightest values of most scans differ by more than this factor, it is pointed out."""


def is_relative(modalities: Sequence[str], options: DataOptions) -> tuple[bool, str]:
    """Whether each scan is normalized by its own values, and why; no words if nothing is said.

    Raises: UsageError for a range of values that are relative.
    """
    asked, ranged = options.scan_values, options.value_range is not None
    if asked == "relative" and ranged:
        raise UsageError(
            "--value-range and --scan-values relative: values of one range mean the same in every "
            "scan. Leave out one of them."
        )
    if asked == "relative":
        return True, "each scan is normalized by its own values, as asked for"
    if asked == "absolute" or ranged or set(modalities) != {MRI}:
        return False, ""
    return True, (
        "each scan is normalized by its own values, because headers say MR, which has no absolute "
        "scale; --scan-values absolute takes values as they are"
    )


def scales_differ(values: np.ndarray) -> str:
    """A line if scans [n, d, h, w] look as if each had a scale of its own; else nothing."""
    if len(values) < 2:
        return ""
    # One after the other: they may lie on disk.
    volumes = (values[place] for place in range(len(values)))
    ends = np.array([(one.min(), np.percentile(one, 99)) for one in volumes])
    low, high = np.percentile(ends[:, 1], [10, 90])
    # What has values far below 0, as air in CT, has a scale that everybody shares.
    if low <= 0 or ends[:, 0].min() < -low / 2 or high < FAR_APART * low:
        return ""
    return (
        f"the brightest values of scans differ by a factor of {high / low:.2g}; if they are MRI, "
        "which has no absolute scale, say --scan-values relative"
    )
