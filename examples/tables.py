"""Tables: how a disease goes on, from ten numbers; and the network trained further on new rows.

Frames of pandas, polars or pyarrow go in, and answers come back in the order of the rows.
"""

from __future__ import annotations

from typing import Any

from sklearn.datasets import load_diabetes

import allotrope


def main(fit: Any = allotrope.fit, **options: Any) -> Any:
    """The last run; `options` are of `fit`, such as epochs=3."""
    frame = load_diabetes(as_frame=True, scaled=False).frame
    frame = frame.rename(columns={"target": "progression"})
    first, later, new = frame[:300], frame[300:430], frame[430:]
    # Boosted trees learn the same rows beside the network; what is best is delivered.
    run = fit(first, target="progression", **options)
    # The trained network itself is model.onnx, and knows its columns and its target.
    run = fit(later, network=str(run.folder / "model.onnx"), **options)
    answers = run.predict(new)["progression"]
    table = new.assign(predicted=answers)[["age", "bmi", "progression", "predicted"]]
    print(table.round(1).to_string())
    return run


if __name__ == "__main__":
    main()
