"""Allotrope holds a neural network once, as an ONNX graph, and gives it every form it can take.

Public names are loaded on first use, so that `import allotrope` is quick and imports no framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from allotrope.network import engine as _engine

if TYPE_CHECKING:
    from allotrope import errors as errors
    from allotrope import testing as testing
    from allotrope.data.reader import read as read
    from allotrope.network import zoo as networks
    from allotrope.network.network import Network as Network
    from allotrope.network.reading.read import load as load
    from allotrope.verbs.augment import augment as augment
    from allotrope.verbs.bench import bench as bench
    from allotrope.verbs.cache import cache as cache
    from allotrope.verbs.check import check as check
    from allotrope.verbs.compare import compare as compare
    from allotrope.verbs.convert import convert as convert
    from allotrope.verbs.doctor import doctor as doctor
    from allotrope.verbs.explain import explain as explain
    from allotrope.verbs.fit_to_target import fit as fit
    from allotrope.verbs.predict import predict as predict
    from allotrope.verbs.shrink import shrink as shrink
    from allotrope.verbs.tune import tune as tune

__version__ = "0.1.0"

_HOMES = {
    "Network": "allotrope.network.network:Network",
    "augment": "allotrope.verbs.augment:augment",
    "bench": "allotrope.verbs.bench:bench",
    "cache": "allotrope.verbs.cache:cache",
    "check": "allotrope.verbs.check:check",
    "compare": "allotrope.verbs.compare:compare",
    "convert": "allotrope.verbs.convert:convert",
    "doctor": "allotrope.verbs.doctor:doctor",
    "errors": "allotrope.errors",
    "explain": "allotrope.verbs.explain:explain",
    "fit": "allotrope.verbs.fit_to_target:fit",
    "load": "allotrope.network.reading.read:load",
    "networks": "allotrope.network.zoo",
    "predict": "allotrope.verbs.predict:predict",
    "read": "allotrope.data.reader:read",
    "shrink": "allotrope.verbs.shrink:shrink",
    "testing": "allotrope.testing",
    "tune": "allotrope.verbs.tune:tune",
}

__all__ = [
    "Network", "__version__", "augment", "bench", "cache", "check", "compare", "convert", "doctor",
    "errors", "explain", "fit", "load", "networks", "predict", "read", "shrink", "testing", "tune",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public name, imported from its home when first asked for.

    Raises: AttributeError for a name that is not public here.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'allotrope' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    value = import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def _framework(name: str) -> Any:
    return import_module("allotrope.frameworks").framework(name)


_engine.supply(_framework)


def __dir__() -> list[str]:
    return sorted(__all__)
