"""Texts: which department a message is for. The delivered file takes raw UTF-8, no tokenizer."""

from __future__ import annotations

import random
from typing import Any

import allotrope

PARTS = {
    "delivery": ("the parcel", "my order", "the courier", "is late", "was left outside", "is lost"),
    "billing": ("the invoice", "my card", "the refund", "is wrong", "was charged twice", "is due"),
    "account": ("the password", "my login", "the profile", "is locked", "was reset", "is gone"),
}
OPENINGS = ("Hello,", "Good morning,", "Please help:", "Again,", "Dear team,")
CLOSINGS = ("What can I do?", "Thank you.", "This is urgent!", "Please answer soon.")


def messages(count: int, seed: int = 0) -> dict[str, list[str]]:
    """Made messages, each with its department; columns of a data frame or a .csv do as well."""
    draw = random.Random(seed)
    departments = [draw.choice(list(PARTS)) for _ in range(count)]
    texts = []
    for department in departments:
        parts = PARTS[department]
        subject, trouble = draw.choice(parts[:3]), draw.choice(parts[3:])
        texts.append(f"{draw.choice(OPENINGS)} {subject} {trouble}. {draw.choice(CLOSINGS)}")
    return {"message": texts, "department": departments}


def main(fit: Any = allotrope.fit, **options: Any) -> Any:
    """The run; `options` are of `fit`, such as epochs=3."""
    run = fit(messages(600), target="department", **options)
    new = ["Hi, the courier never came", "I forgot my password ☹"]
    for text, department in zip(new, run.predict({"message": new})["department"], strict=True):
        print(f"{department:10} {text}")
    return run


if __name__ == "__main__":
    main()
