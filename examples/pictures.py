"""Pictures: scikit-learn's handwritten digits, from data to a delivered file and an answer."""

from __future__ import annotations

from typing import Any

import allotrope


def main(fit: Any = allotrope.fit, **options: Any) -> Any:
    """The run; `options` are of `fit`, such as epochs=3."""
    # A folder of class folders, such as photos/cat/1.jpg, would be "photos/".
    run = fit("digits", **options)
    digit = allotrope.read("digits").test["image"][0]
    (answer,) = run.predict({"image": digit[None]})["label"]
    print(f"\nthe first test image is a {answer}; {run.json['test']['accuracy']:.2%} are right")
    return run


if __name__ == "__main__":
    main()
