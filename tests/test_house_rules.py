"""The house's rules that a linter does not know."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

import pytest
from source_tree import PACKAGES, Source, called, imported, sources

LONGEST_MODULE = 310
LONGEST_FUNCTION = 45
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
RESTRICTED = "training/readers/plain_pickle.py"  # the one subclass of pickle.Unpickler
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_LOADS = {
    "pickle.load",
    "pickle.loads",
    "torch.load",
    "torch.jit.load",
    "numpy.load",
    "np.load",
}
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
FOREIGN_METHODS = {"init_poolmanager", "proxy_manager_for"}  # of requests' adapter, overridden
ONE_MACHINE = re.compile(r"\.\./shared|/root/|/home/\w|/opt/\w|/work/\w")
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplemented\w*)\b")


@pytest.fixture(scope="module")
def ours() -> list[Source]:
    return sources(*PACKAGES)


@pytest.fixture(scope="module")
def shipped() -> list[Source]:
    """All but the tests."""
    return sources(*PACKAGES, "examples", "benchmarks")


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_modules_are_short(shipped: list[Source]) -> None:
    assert [str(one) for one in shipped if one.text.count("\n") > LONGEST_MODULE] == []


def test_modules_are_named_for_one_idea(ours: list[Source]) -> None:
    assert [str(one) for one in ours if VAGUE & set(one.name.split("."))] == []


def test_modules_say_what_they_are(shipped: list[Source]) -> None:
    assert [str(one) for one in shipped if not ast.get_docstring(one.tree)] == []


def test_functions_are_short(shipped: list[Source]) -> None:
    """Signature and docstring do not count."""
    long = []
    for source in shipped:
        for node in _functions(source):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST_FUNCTION:
                long.append(f"{source}:{node.lineno} {node.name} has {lines} lines")
    assert long == []


def test_nothing_loads_code_from_data(shipped: list[Source]) -> None:
    """No pickle in any of its forms, ``torch.load`` included, no ``eval``.

    One module may read pickles, by a subclass that answers names itself and never by ``loads``.
    """
    unsafe = []
    for source in shipped:
        unsafe += [
            f"{source}:{line} imports {name}"
            for line, name in imported(source)
            if name.partition(".")[0] in UNSAFE_MODULES and str(source) != RESTRICTED
        ]
        calls = (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))
        unsafe += [
            f"{source}:{node.lineno} calls {ast.unparse(node.func)}"
            for node in calls
            if ast.unparse(node.func) in UNSAFE_LOADS
            or (isinstance(node.func, ast.Name) and called(node) in UNSAFE_CALLS)
        ]
    assert unsafe == []


def test_nothing_is_passed_through_unnamed(shipped: list[Source]) -> None:
    """A parameter taken as ``**kwargs`` and handed on is one that nobody checked or documented."""
    passed = []
    for source in shipped:
        for node in _functions(source):
            taken = node.args.kwarg
            if taken is None or node.name in FOREIGN_METHODS:
                continue
            handed_on = any(
                keyword.arg is None and ast.unparse(keyword.value) == taken.arg
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                for keyword in call.keywords
            )
            passed += [f"{source}:{node.lineno} {node.name}"] * handed_on
    assert passed == []


def test_no_path_of_one_machine(shipped: list[Source]) -> None:
    assert [str(one) for one in shipped if ONE_MACHINE.search(one.text)] == []


def test_nothing_is_left_undone(shipped: list[Source]) -> None:
    assert [str(one) for one in shipped if UNDONE.search(one.text)] == []


@pytest.mark.parametrize("module", ["hybridroute", "hybridroute.edge_runtime.onnx_scorer"])
def test_warnings_from_our_modules_are_errors(module: str) -> None:
    """As pyproject.toml sets pytest up: a deprecated call of ours fails the test that makes it."""
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit("old", DeprecationWarning, "x.py", 1, module=module)
