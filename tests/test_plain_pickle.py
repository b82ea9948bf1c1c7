"""training/readers/plain_pickle.py: arrays and containers come back, all else is refused."""

from __future__ import annotations

import functools
import operator
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_run import run

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers.plain_pickle import array_of, read_plain_pickle


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "held.pkl"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_plain_data_holds_comes_back(tmp_path: Path, protocol: int) -> None:
    arrays = {
        "float64": np.arange(6.0).reshape(2, 3),
        "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "float32": np.array([[1.5]], dtype=np.float32),
        "big end first": np.array([1.0, 2.0], dtype=">f8"),
        "flags": np.array([True, False]),
        "text": np.array(["a", "längere"]),
        "objects": np.array(["a", "bb"], dtype=object),
        "empty": np.zeros((0, 3)),
    }
    rest = {"scalar": np.float64(2.5), "list": [1, "a", None, (2.0, b"x")], "map": OrderedDict(a=1)}
    path = written(tmp_path, pickle.dumps(arrays | rest, protocol=protocol))
    found = read_plain_pickle(path)
    for name, array in arrays.items():
        back = np.asarray(array_of(found[name]))
        np.testing.assert_array_equal(back, array)
        assert back.shape == array.shape
    assert {name: found[name] for name in rest} == rest


class _Calls:
    """Pickled, it asks for a call when it is read."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call[0], self.call[1:]


HOSTILE = {
    "os.system": _Calls(os.system, "touch {touched}"),
    "eval": _Calls(eval, "open('{touched}', 'w')"),
    "exec": _Calls(exec, "open('{touched}', 'w')"),
    "getattr": _Calls(getattr, "text", "format"),
    "functools.partial": _Calls(functools.partial, print),
    "operator.attrgetter": _Calls(operator.attrgetter, "system"),
    "numpy.load": _Calls(np.load, "{touched}", None, True),
    "numpy.fromfile": _Calls(np.fromfile, "/etc/hostname"),
    "numpy.memmap": _Calls(np.memmap, "{touched}"),
    "numpy.ndarray": _Calls(np.ndarray, (10**9,)),
    "open": _Calls(open, "{touched}", "w"),
    "dict": _Calls(dict, [("a", 1)]),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_runs_nothing(
    tmp_path: Path, name: str, protocol: int
) -> None:
    touched = tmp_path / "touched"
    call = HOSTILE[name].call
    named = [arg.format(touched=touched) if isinstance(arg, str) else arg for arg in call[1:]]
    held = {"data": [_Calls(call[0], *named)]}
    try:
        data = pickle.dumps(held, protocol=protocol)
    except pickle.PicklingError:
        pytest.skip("this protocol cannot even write it")
    with pytest.raises(DataError, match="is refused"):
        read_plain_pickle(written(tmp_path, data))
    assert not touched.exists()


def test_the_command_line_refuses_one_in_a_line(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    call = _Calls(os.system, f"touch {touched}")
    path = tmp_path / "arc_router_dataset.pkl"
    path.write_bytes(pickle.dumps({"easy": call}))
    done = run("compare", "--outcomes", path.name, "--json", cwd=tmp_path, without=("torch",))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "system, which is not plain data" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not touched.exists()


def globals_of(module: bytes, name: bytes, *after: bytes) -> bytes:
    return b"\x80\x02c" + module + b"\n" + name + b"\n" + b"".join(after)


BUILD, STOP = b"b", b"."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (b"numpy.core.multiarray", b"fromfile"),
        (b"numpy", b"os.system"),
        (b"numpy.f2py.crackfortran", b"getlincoef"),
        (b"numpy.testing._private.utils", b"runstring"),
        (b"numpy.core.multiarray", b"_reconstruct.__globals__"),
        (b"posix", b"system"),
        (b"builtins", b"getattr"),
        (b"__builtin__", b"eval"),
        (b"_codecs", b"decode"),
        (b"importlib", b"import_module"),
        (b"sys", b"modules"),
    ],
)
def test_a_name_that_is_not_on_the_list_is_refused(
    tmp_path: Path, module: bytes, name: bytes
) -> None:
    with pytest.raises(DataError, match="which is not plain data"):
        read_plain_pickle(written(tmp_path, globals_of(module, name, STOP)))


def array_pickle(kind: str, shape: tuple[int, ...], data: object) -> bytes:
    """An array as numpy writes it, with a type, shape and bytes that need not agree."""
    honest = pickle.dumps(np.zeros(1), protocol=2)
    assert b"_reconstruct" in honest

    class Named:
        def __init__(self, module: str, name: str) -> None:
            self.module, self.name = module, name

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"X" + struct.pack("<I", len(raw)) + raw

    def plain(value: object) -> bytes:
        return pickle.dumps(value, protocol=2)[2:-1].replace(b"q\x00", b"").replace(b"q\x01", b"")

    number = b"c" + b"numpy\nndarray\n"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(" + number + plain((0,)) + plain("b") + b"tR"
    typed = b"cnumpy\ndtype\n(" + text(kind) + b"\x89\x88tR"
    typed += b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state = b"(K\x01" + plain(shape) + typed + b"\x89" + plain(data) + b"t"
    return b"\x80\x02" + made + state + b"b."


@pytest.mark.parametrize(
    ("kind", "shape", "data"),
    [
        ("f8", (10**12,), "x"),
        ("f8", (2**40, 2**40), "x"),
        ("f8", (-1,), ""),
        ("f8", (3,), "too short"),
        ("O", (1,), "\x00" * 8),
        ("V8", (1,), "\x00" * 8),
        ("O,f8", (1,), "\x00" * 16),
        ("M8[ns]", (1,), "\x00" * 8),
        ("U99999999999", (1,), "x"),
        ("f8", (1,), 7),
    ],
)
def test_an_array_whose_bytes_do_not_agree_is_refused(
    tmp_path: Path, kind: str, shape: tuple[int, ...], data: object
) -> None:
    """A pointer among the bytes of an object array, or 8 TB announced in a hundred bytes."""
    with pytest.raises(DataError, match="is refused"):
        read_plain_pickle(written(tmp_path, array_pickle(kind, shape, data)))


def test_the_made_up_form_is_that_of_numpy(tmp_path: Path) -> None:
    """Else the refusals above would prove nothing."""
    data = np.arange(2.0).tobytes().decode("latin-1")
    found = read_plain_pickle(written(tmp_path, array_pickle("f8", (2,), data)))
    np.testing.assert_array_equal(array_of(found), [0.0, 1.0])


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # numbers an object 2^31 - 1: 16 GB of places
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",  # announces 4 EB
        b"\x80\x02\x82\x01.",  # an extension of copyreg's registry
        b"\x80\x02X\x01\x00\x00\x00aQ.",  # a persistent id
        b"\x80\x05\x97.",  # a buffer from elsewhere
    ],
)
def test_what_costs_memory_or_asks_for_more_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError):
        read_plain_pickle(written(tmp_path, data))


def test_what_is_named_cannot_be_altered(tmp_path: Path) -> None:
    """``BUILD`` on a function would set its attributes, for every file read afterwards."""
    state = pickle.dumps((None, {"__defaults__": (1,)}), protocol=2)[2:-1]
    data = globals_of(b"numpy.core.multiarray", b"scalar", state, BUILD, STOP)
    with pytest.raises(DataError, match="it alters what it names"):
        read_plain_pickle(written(tmp_path, data))


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"\x80\x04", b"\x80\x04K\x01", b"(((."])
def test_no_pickle_is_an_error_that_names_the_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"held\.pkl"):
        read_plain_pickle(written(tmp_path, data))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pkl", tmp_path):
        with pytest.raises(DataError, match=r"cannot be read"):
            read_plain_pickle(path)
