"""Pickles that hold only numpy arrays, text, numbers and containers; anything else is refused.

A pickle is a program. This reader lets it name eleven globals by exact spelling, and each of them
is answered by a stand-in of ours: the file runs no function and no class of numpy, nor any other
code. An array is made from bytes whose number agrees with its shape and type.
"""

from __future__ import annotations

import io
import math
import mmap
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.whole_number import whole_number

MOST_BYTES: Final = 2**32
"""A larger file is refused unread."""
_MOST_STEPS: Final = 50_000_000
_MOST_ITEMS: Final = 2**28
_MOST_NAMES: Final = 20_000_000
_NUMBER = "?bBhHiIlLqQefd"
_MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_REFUSED_STEPS = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER"})


class _Named:
    """What a pickle may name and call, and nothing else with it: it cannot be altered."""

    __slots__ = ("_does",)

    def __init__(self, does: Callable[..., Any]) -> None:
        self._does = does

    def __call__(self, *given: object) -> Any:
        return self._does(*given)

    def __setstate__(self, state: object) -> NoReturn:
        raise DataError("it alters what it names")


def _made_otherwise(*_given: object) -> NoReturn:
    raise DataError("it makes an array in a way no array is pickled")


class _Type:
    """Stands for ``numpy.dtype``: a number, a fixed width of text, or an object."""

    __slots__ = ("name", "order")

    def __init__(self, name: object, _align: object = False, _copy: object = False) -> None:
        if not isinstance(name, str) or not _is_plain(name):
            raise DataError(f"it holds an array of type {str(name)[:40]!r}; only plain ones are")
        self.name, self.order = name, "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise DataError("it holds an array type with a state that no plain type has")
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """numpy's own; asked for objects, it says no."""
        if self.name.startswith("O"):
            raise DataError("it holds objects where numbers or text are expected")
        return np.dtype(self.name).newbyteorder(self.order if self.order in "<>" else "=")  # type: ignore[arg-type]


class _Array:
    """Stands for an array being made; ``value`` is what it holds."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value: Any = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise DataError("it holds an array with a state that no array has")
        _, shape, kind, fortran, data = state
        self._value = _filled(shape, kind, data, "F" if fortran else "C")

    def value(self) -> Any:
        """The array, or a list where it held objects."""
        if self._value is None:
            raise DataError("it holds an array that was never filled")
        return self._value


def _is_plain(name: str) -> bool:
    kind, size = name.lstrip("<>=|")[:1], name.lstrip("<>=|")[1:]
    if kind in "US":
        width = whole_number(size)
        return width is not None and width < 2**24
    return (kind in "fiub" and size in ("1", "2", "4", "8")) or name in ("O", "O8", *_NUMBER)


def _filled(shape: object, kind: object, data: object, order: Any) -> Any:
    if not isinstance(kind, _Type) or not isinstance(shape, tuple):
        raise DataError("it holds an array without a type or a shape")
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise DataError(f"it holds an array of shape {str(shape)[:60]}")
    count = math.prod(shape)
    if kind.name.startswith("O"):
        if len(shape) != 1 or not isinstance(data, list) or len(data) != count:
            raise DataError("it holds an array of objects that is not a plain list")
        return data
    if not isinstance(data, (bytes, bytearray, str)):
        raise DataError(f"it holds an array filled from a {type(data).__name__}")
    # Pickles of Python 2 hold bytes as text of that encoding.
    raw = data.encode("latin-1") if isinstance(data, str) else data
    dtype = kind.dtype()
    if count > _MOST_ITEMS or count * dtype.itemsize != len(raw):
        raise DataError(f"it holds an array of shape {shape} in {len(raw)} bytes")
    return np.frombuffer(raw, dtype=dtype).reshape(shape, order=order)


def _reconstruct(subtype: object, _shape: object, _kind: object) -> _Array:
    if subtype is not _SUBTYPE:
        raise DataError("it makes an array of an unknown class")
    return _Array()


def _from_buffer(data: object, kind: object, shape: object, order: object) -> Any:
    if order not in ("C", "F"):
        raise DataError("it holds an array in an unknown order")
    return _filled(shape, kind, data, order)


def _scalar(kind: object, data: object = b"") -> float | int | bool | str:
    return _filled((1,), kind, data, "C").tolist()[0]  # type: ignore[no-any-return]


def _encode(text: object, encoding: object) -> bytes:
    """How Python 3 writes bytes in protocol 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise DataError("it encodes text in a way no bytes are pickled")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    """How Python 3 writes empty bytes in protocol 2."""
    return b""


_SUBTYPE: Final = _Named(_made_otherwise)
_ALLOWED: Final = {
    ("numpy", "ndarray"): _SUBTYPE,
    ("numpy", "dtype"): _Named(_Type),
    ("numpy.core.multiarray", "_reconstruct"): _Named(_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): _Named(_reconstruct),
    ("numpy.core.multiarray", "scalar"): _Named(_scalar),
    ("numpy._core.multiarray", "scalar"): _Named(_scalar),
    ("numpy.core.numeric", "_frombuffer"): _Named(_from_buffer),
    ("numpy._core.numeric", "_frombuffer"): _Named(_from_buffer),
    ("_codecs", "encode"): _Named(_encode),
    ("__builtin__", "bytes"): _Named(_no_bytes),
    ("collections", "OrderedDict"): _Named(dict),
}


class _Reader(pickle.Unpickler):
    """Answers allowed names with stand-ins, and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        held = _ALLOWED.get((module, name))
        if held is None:
            raise DataError(f"it names {module[:60]}.{name[:60]}, which is not plain data")
        return held


def read_plain_pickle(path: Path) -> Any:
    """Dicts, lists, tuples, text, numbers and arrays, as the file holds them.

    Arrays come back as stand-ins; :func:`array_of` gives each. Arrays view the file's bytes and
    cannot be written to.

    Raises
    ------
    DataError
        If the file cannot be read, is larger than ``MOST_BYTES``, is no pickle, or names anything
        but the few globals that plain arrays need.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if not 0 < size <= MOST_BYTES:
                raise DataError(f"{path} has {size} bytes; from 1 to {MOST_BYTES} are read")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                _check_steps(held)
                held.seek(0)
                return _Reader(held).load()
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    except DataError as exc:
        raise DataError(f"{path} is refused: {exc}") from exc
    except (pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError) as exc:
        raise DataError(f"{path} is not a readable pickle ({exc}); fetch it again") from exc
    except (EOFError, AttributeError, MemoryError, RecursionError, OverflowError) as exc:
        raise DataError(f"{path} is not a readable pickle ({exc}); fetch it again") from exc


def _check_steps(held: mmap.mmap) -> None:
    """Refuse what would cost memory out of proportion to the file, before any of it is run."""
    for step, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], held))):
        if step > _MOST_STEPS:
            raise DataError(f"it has more than {_MOST_STEPS:,} steps")
        if opcode.name in _REFUSED_STEPS:
            raise DataError(f"it asks for data outside itself ({opcode.name})")
        if opcode.name in _MEMO and isinstance(argument, int) and argument > _MOST_NAMES:
            raise DataError(f"it numbers an object {argument:,}")


def array_of(held: object) -> NDArray[Any] | list[Any]:
    """The array behind a stand-in, or the list that an array of objects held.

    Raises
    ------
    DataError
        If it is neither an array nor a list.
    """
    if isinstance(held, _Array):
        held = held.value()
    if isinstance(held, tuple):
        return list(held)
    if isinstance(held, (np.ndarray, list)):
        return held
    raise DataError(f"a {type(held).__name__} stands where an array is expected")
