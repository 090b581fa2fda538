"""Several labels an example: which topics a made document is about, from its word counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import make_multilabel_classification

import allotrope

TOPICS = ("sport", "music", "science", "travel")


def main(fit: Any = allotrope.fit, **options: Any) -> Any:
    """The run; `options` are of `fit`, such as epochs=3."""
    counts, topics = make_multilabel_classification(
        600, n_features=30, n_classes=len(TOPICS), n_labels=2, random_state=0
    )
    columns = {"counts": counts.astype(np.float32)}
    # Columns of 0 and 1 that are all asked for become the labels of one task.
    columns |= {topic: topics[:, place] for place, topic in enumerate(TOPICS)}
    run = fit(columns, target=list(TOPICS), **options)
    there = run.predict({"counts": columns["counts"][:3]})["labels"]
    for flags in there:
        print(", ".join(np.array(TOPICS)[flags]) or "none")
    return run


if __name__ == "__main__":
    main()
