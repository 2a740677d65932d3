"""Rules that no linter knows: no look-ahead outside the targets, no pickle on a load path."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "market",
    "features",
    "ml_pipeline",
    "models",
    "strategies",
    "orchestration",
    "flows",
    "serving",
)
MODULES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)
# The one place that looks ahead, because labels lie in the future.
LOOKS_AHEAD = ROOT / "ml_pipeline" / "targets.py"
# Entry points may catch everything, once, to report it.
UNPICKLERS = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve"}


def looks_ahead(tree: ast.AST) -> Iterator[str]:
    """Yield each call in `tree` that would let a row see a later one."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        first = node.args[0] if node.args else None
        keywords = {k.arg: k.value for k in node.keywords}
        if name in {"bfill", "backfill"}:
            yield f"line {node.lineno}: {name}()"
        if name in {"shift", "diff", "pct_change"}:
            step = first or keywords.get("periods")
            if isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub):
                yield f"line {node.lineno}: {name} by a negative step"
        centred = keywords.get("center")
        if isinstance(centred, ast.Constant) and centred.value is True:
            yield f"line {node.lineno}: {name}(center=True)"


def loads_pickles(tree: ast.AST) -> Iterator[str]:
    """Yield each import or call in `tree` that runs code from a file."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0]]
        for name in UNPICKLERS.intersection(names):
            yield f"line {node.lineno}: import {name}"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "load"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "torch"
        ):
            yield f"line {node.lineno}: torch.load"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_keeps_the_house_rules(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module opens with the sentence that says what it is"
    assert not list(loads_pickles(tree))
    if path != LOOKS_AHEAD:
        assert not list(looks_ahead(tree))


@pytest.mark.parametrize(
    "leak",
    ["x.shift(-1)", "x.shift(periods=-5)", "x.rolling(5, center=True)", "x.bfill()", "x.diff(-1)"],
)
def test_each_kind_of_leak_is_seen(leak: str) -> None:
    assert list(looks_ahead(ast.parse(leak)))


@pytest.mark.parametrize("load", ["import pickle", "from joblib import load", "torch.load('x')"])
def test_each_kind_of_unpickling_is_seen(load: str) -> None:
    assert list(loads_pickles(ast.parse(load)))
