"""What a user asks for of columns: names of targets, and kinds by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from allotrope.errors import UsageError

Kinds = Mapping[str, str] | Sequence[str] | str | None
"""`{"age": "regression"}`, `"age=regression"` or several such."""


def asked_names(names: Sequence[str] | str | None) -> tuple[str, ...]:
    """Names from a list, each perhaps of several with commas between them."""
    listed = _parts(names or ())
    return tuple(dict.fromkeys(name for name in listed if name))


def asked_kinds(option: str, kinds: Kinds, known: Iterable[str]) -> dict[str, str]:
    """The kind that is asked for of each column.

    Raises: UsageError for what is no NAME=KIND, and for unknown kinds; all in one message.
    """
    known = tuple(known)
    pairs = list(kinds.items()) if isinstance(kinds, Mapping) else []
    problems = []
    if not isinstance(kinds, Mapping):
        for part in _parts(kinds or ()):
            name, equals, kind = part.rpartition("=")
            if not (name and equals and kind):
                problems.append(f"'{part}' is no NAME=KIND")
            pairs.append((name, kind))
    problems += [
        f"'{kind}' is no kind for '{name}'" for name, kind in pairs if name and kind not in known
    ]
    if problems:
        raise UsageError(f"--{option}: {'; '.join(problems)}. Known: {', '.join(known)}.")
    return {name.strip(): kind for name, kind in pairs}


def _parts(texts: Sequence[str] | str) -> list[str]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    return [part.strip() for text in listed for part in text.split(",")]
