"""Imports go one way: edge_runtime <- hybridroute <- training."""

from __future__ import annotations

import ast

from source_tree import PACKAGES, PROGRAMS, Source, imported, sources

LAYERS = list(PACKAGES)
TORCH = {"torch", "transformers", "safetensors", "bert_score", "onnx", "onnxscript"}
NETWORK = {"requests", "urllib3", "ssl"}  # one engine is asked over a local socket file
JUDGING = (
    *("readers", "outcomes", "labels", "transform", "curve", "metrics", "bootstrap"),
    *("calibrate", "splits", "pair_split", "baselines", "evaluate_pair", "promise"),
)
"""Modules of training that need no torch, whatever they import."""


def _layer_of(name: str) -> str | None:
    """The layer of a dotted name of ours, or None for anybody else's."""
    if not f"{name}.".startswith("hybridroute."):
        return None
    for layer in ("edge_runtime", "training"):
        if f"{name}.".startswith(f"{PACKAGES[layer]}."):
            return layer
    return "hybridroute"


def _imports_of(*layers: str, roots: set[str]) -> list[str]:
    """Where these layers import one of these top-level names, at any depth of a file."""
    return [
        f"{source}:{line} imports {name}"
        for source in sources(*layers)
        for line, name in imported(source)
        if name.partition(".")[0] in roots
    ]


def test_imports_go_one_way() -> None:
    """Function-level imports included; entry points, which are text, are the one way up."""
    upward = []
    for source in sources(*LAYERS):
        allowed = {None, *LAYERS[: LAYERS.index(source.layer) + 1]}
        upward += [
            f"{source}:{line} imports {name}"
            for line, name in imported(source)
            if _layer_of(name) not in allowed
        ]
    assert upward == []


def test_a_relative_import_and_import_module_are_seen() -> None:
    code = "def f():\n    from .. import training\n    import_module('torch.nn')\nfrom . import x"
    path = sources("edge_runtime")[0].path.with_name("made_up.py")
    made = Source(
        layer="edge_runtime",
        name="hybridroute.edge_runtime.made_up",
        path=path,
        text=code,
        tree=ast.parse(code),
    )
    found = {name for _, name in imported(made)}
    assert found == {"hybridroute.training", "torch.nn", "hybridroute.edge_runtime.x"}


def test_every_import_is_by_its_full_name() -> None:
    """A bare ``training`` would be the user's own folder once this is installed."""
    assert _imports_of(*LAYERS, *PROGRAMS, roots={"edge_runtime", "training"}) == []


def test_only_training_imports_torch() -> None:
    assert _imports_of("edge_runtime", "hybridroute", roots=TORCH) == []


def test_the_edge_knows_nothing_of_the_cloud() -> None:
    assert _imports_of("edge_runtime", roots=NETWORK) == []


def test_pools_are_made_without_judging_them() -> None:
    """`training/judging` imports `training/pool`, never the other way."""
    upward = [
        f"{source}:{line} imports {name}"
        for source in sources("training")
        for line, name in imported(source)
        if source.name.startswith("hybridroute.training.pool")
        and name.startswith("hybridroute.training.judging")
    ]
    assert upward == []


def _first_imports(source: Source) -> set[str]:
    """What importing the module imports at once: not what its functions import when called."""
    found = set()
    pending: list[ast.AST] = [source.tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            found |= {home, *(f"{home}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending += ast.iter_child_nodes(node)
    return found


def test_judging_a_router_needs_no_torch() -> None:
    """Readers, labels, metrics, calibration and evaluation, with all that they import."""
    modules = {source.name: source for source in sources(*LAYERS)}
    starts = {f"hybridroute.training.{name}" for name in JUDGING}
    assert starts <= modules.keys()
    pending = [name for name in modules for start in starts if f"{name}.".startswith(f"{start}.")]
    heavy, reached = [], set()
    while pending:
        name = pending.pop()
        if name in reached or name not in modules:
            continue
        reached.add(name)
        wanted = _first_imports(modules[name])
        heavy += [f"{name} imports {one}" for one in wanted if one.partition(".")[0] in TORCH]
        pending += wanted
    assert heavy == []
