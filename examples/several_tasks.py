"""Several tasks from several inputs: which digit is written, and how much ink the pen had left."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import allotrope


def columns(seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures, a number beside each, and two labels, of which one is often missing."""
    random = np.random.default_rng(seed)
    digits = load_digits()
    drawn = digits.images.sum((1, 2))
    before = random.uniform(400, 600, len(drawn))
    left = before - drawn
    left[random.random(len(left)) < 0.3] = np.nan
    return {
        "picture": (digits.images * 15).astype(np.uint8),
        "ink": before.astype(np.float32),
        "digit": digits.target.astype(str),
        "left": left,
    }


def main(fit: Any = allotrope.fit, **options: Any) -> Any:
    """The run; `options` are of `fit`, such as epochs=3."""
    data = columns()
    # The first task decides; a row without a label for one task still teaches the other.
    run = fit(data, target=["digit", "left"], task={"left": "regression"}, **options)
    answers = run.predict({"picture": data["picture"][:3], "ink": data["ink"][:3]})
    for digit, left in zip(answers["digit"], answers["left"], strict=True):
        print(f"a {digit}, ink left {left:.0f}")
    return run


if __name__ == "__main__":
    main()
