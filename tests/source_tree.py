"""The project's own modules as syntax trees, for the tests that hold its rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "edge_runtime": "hybridroute.edge_runtime",
    "hybridroute": "hybridroute",
    "training": "hybridroute.training",
}
"""Top folders, and the names they import as; lowest layer first."""
PROGRAMS = ("examples", "benchmarks", "tests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: its top folder, its dotted name, its text and tree."""

    layer: str
    name: str
    path: Path
    text: str
    tree: ast.Module

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


def sources(*layers: str) -> list[Source]:
    """Every Python file below these top folders."""
    return [
        _source(layer, path) for layer in layers for path in sorted((ROOT / layer).rglob("*.py"))
    ]


def _source(layer: str, path: Path) -> Source:
    inside = path.relative_to(ROOT / layer).with_suffix("").parts
    parts = [PACKAGES.get(layer, layer), *inside]
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Source(layer=layer, name=name, path=path, text=text, tree=ast.parse(text, str(path)))


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every module or member imported, at any depth of the file.

    ``from a import b`` counts as ``a.b``; names handed to ``import_module`` count too.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = _home(source, node)
            yield from ((node.lineno, f"{home}.{alias.name}".strip(".")) for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def _home(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.name.split(".")
    if source.path.stem != "__init__":
        package = package[:-1]
    above = package[: len(package) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def called(node: ast.Call) -> str:
    """The last name of what is called: ``load`` for ``torch.load(...)``."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
