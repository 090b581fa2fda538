"""What a file says of its inputs and outputs beyond their shapes: which kind of input, which task.

One key of the metadata, `allotrope.columns`, holds JSON: {"inputs": [{"name", "kind", …}, …],
"tasks": [{"name", "kind", …}, …]}. Names are those of the graph's inputs and outputs; what else an
entry says is its kind's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from allotrope.errors import DataError, ModelError, unknown_name
from allotrope.network.network import Network

KEY = "allotrope.columns"
Facts = Mapping[str, Any]
Column = TypeVar("Column")


def columns_of(metadata: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The entries for `inputs` and `tasks`; none if the file says nothing.

    Raises: ModelError if they are not objects with a name and a kind.
    """
    text = metadata.get(KEY, "{}")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    entries = _entries(said)
    if entries is None:
        raise ModelError(
            f"metadata '{KEY}' must be a JSON object with lists 'inputs' and 'tasks' of objects "
            f"with a name and a kind, found {text[:80]!r}."
        )
    return entries


def with_columns(
    network: Network, *, inputs: Sequence[Facts] = (), tasks: Sequence[Facts] = ()
) -> Network:
    """The network that says these of its inputs and outputs, too.

    An entry of the same name gives way.
    """
    said = columns_of(network.metadata)
    for part, facts in (("inputs", inputs), ("tasks", tasks)):
        names = {each["name"] for each in facts}
        others = [entry for entry in said[part] if entry["name"] not in names]
        said[part] = [*others, *(dict(each) for each in facts)]
    return network.changed(metadata={KEY: json.dumps(said)})


def of_facts(
    facts: Facts, kinds: Mapping[str, type[Column]], what: str, apart: frozenset[str] = frozenset()
) -> Column:
    """The column that an entry describes, of one of the `kinds`, without its fields `apart`.

    Raises: UsageError for an unknown kind, DataError for facts that do not fit the kind.
    """
    if facts.get("kind") not in kinds:
        raise unknown_name(f"kind of {what}", str(facts.get("kind")), kinds)
    kind: Any = kinds[facts["kind"]]
    known = {each.name for each in fields(kind)} - apart
    values = {name: _frozen(value) for name, value in facts.items() if name in known}
    try:
        column: Column = kind(**values)
    except TypeError as error:
        raise DataError(
            f"'{facts.get('name')}' is no {kind.kind} as it stands: {error}."
        ) from error
    return column


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    return value


def _entries(said: Any) -> dict[str, list[dict[str, Any]]] | None:
    if not isinstance(said, dict):
        return None
    parts = {part: said.get(part, []) for part in ("inputs", "tasks")}
    if all(isinstance(part, list) and all(map(_names_itself, part)) for part in parts.values()):
        return parts
    return None


def _names_itself(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), str) for key in ("name", "kind")
    )
