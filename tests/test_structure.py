"""The shape that the code keeps: what may import what, and how long files and functions may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "allotrope"
FILES = sorted(SOURCE.rglob("*.py"))

# Each part may import those before it when it is loaded, and only those.
ORDER = (
    ("errors", "telemetry"),
    ("config", "storage", "progress"),
    ("run",),
    ("network",),
    ("operators",),
    ("frameworks",),
    ("inputs",),
    ("tasks",),
    ("data",),
    ("architectures",),
    ("training",),
    ("shrink",),
    ("runtimes",),
    ("measure",),
    ("delivery",),
    ("report", "conversion"),
    ("testing", "verbs"),
    ("cli",),
)
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}

# A folder a framework and a runtime, which alone may import it.
HOMES = {
    "torch": (
        "frameworks/pytorch/", "frameworks/keras/engine_torch", "runtimes/pytorch", "conversion/pytorch/proof",
    ),
    "onnxruntime": ("runtimes/onnxruntime/", "shrink/quantize"),
    "openvino": ("runtimes/openvino/", "shrink/quantize"),
    "nncf": ("shrink/quantize",),
    "tensorflow": ("frameworks/tensorflow/", "frameworks/keras/engine_tensorflow", "conversion/tensorflow/"),
    "keras": ("frameworks/keras/", "conversion/keras/", "conversion/tensorflow/proof"),
    "jax": ("frameworks/jax/", "conversion/jax/proof", "frameworks/keras/engine_jax"),
    "torchvision": (),
    "pickle": (),
}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules that are imported anywhere below the node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imports_when_loaded(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported as soon as the file is: not in functions, not for types alone."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imports(node)


def upward(part: str, tree: ast.Module) -> list[str]:
    """The parts of allotrope that come after `part` and are imported when it is loaded."""
    found = [module.split(".")[1] for module in imports_when_loaded(tree) if module.startswith("allotrope.")]
    return [other for other in found if RANK[other] > RANK[part]]


def homeless(name: str, tree: ast.Module) -> list[str]:
    """The frameworks and runtimes that the file `name` imports and should not."""
    tops = {module.split(".")[0] for module in imports(tree)}
    return [top for top in sorted(tops & HOMES.keys()) if not name.startswith(HOMES[top])]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_dependencies_point_up(path: Path):
    part = name_of(path).split("/")[0].removesuffix(".py")
    tree = ast.parse(path.read_text())
    if part != "__init__":
        assert upward(part, tree) == []
    assert homeless(name_of(path), tree) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_small(path: Path):
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    long = [f"{node.name}: {lines}" for node in functions if (lines := body_lines(node)) > 60]
    assert text.count("\n") <= 400
    assert long == []


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function below its signature and docstring: a verb's long list of documented options is no long function."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_the_checks_can_fail():
    assert upward("network", ast.parse("from allotrope.training import loop")) == ["training"]
    assert upward("network", ast.parse("def f():\n    from allotrope.frameworks import framework")) == []
    assert homeless("data/folder.py", ast.parse("def f():\n    import torch.nn")) == ["torch"]
    assert homeless("runtimes/pytorch.py", ast.parse("import torch, pickle")) == ["pickle"]
