"""The handwritten digits of scikit-learn: 1,797 grey pictures of 8x8 pixels, offline."""

from __future__ import annotations

import numpy as np

from allotrope.data.reading import PicturesFound, Reading, labelled, labelled_pictures

BRIGHTEST = 16  # the largest value in scikit-learn's copy


def read_digits() -> Reading:
    """The digits as one unsplit set, stretched to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / BRIGHTEST)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    classes = tuple(str(name) for name in digits.target_names)
    facts = PicturesFound({(8, 8): len(labels)}, {"L": len(labels)})
    reading = labelled_pictures("digits", {"train": labelled(images, labels)}, classes, facts)
    reading.notes.append("built-in digits of scikit-learn, values 0..16 stretched to 0..255")
    return reading
