"""Fetching a GGUF file by URL: resumable, checked, and put in place in one step.

The bytes are collected in a ``.part`` file named for the URL, with a record of the server's version
of the file beside it. A pull that was cut, killed or ran out of disk goes on from there.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol

from hybridroute.edge_runtime import local_models, model_store
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.local_models import GGUF_MAGIC, LocalModel
from hybridroute.edge_runtime.model_registry import verify
from hybridroute.model_part import FileVersion, PartFile, in_mb
from hybridroute.model_source import ModelUrl, Opened, opened
from hybridroute.whole_number import whole_number

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SPARE_BYTES = 64 << 20
"""Left free on the disk beside the file."""


class PullWatch(Protocol):
    """Is told how a pull goes."""

    def begin(self, *, total: int | None, have: int, host: str) -> None:
        """The body begins: its whole size in bytes, None if not said, and what is there already."""
        ...

    def advance(self, count: int) -> None:
        """So many more bytes are on the disk."""
        ...


def pull_url(
    url: str, *, sha256: str | None, name: str | None = None, watch: PullWatch
) -> LocalModel:
    """Fetch a GGUF file, check it, and remember it by name.

    Parameters
    ----------
    url : str
        https; http for a server on this machine.
    sha256 : str or None
        What the file must have. Without it the file is fetched, but not put to use: the error
        names the sha256 it has, and a second pull with that number fetches nothing again.
    name : str or None
        What the model is called; by default made from the URL's last part.
    watch : PullWatch

    Raises
    ------
    ConfigError
        If the URL, the name or the number is not fit, or the name is another model's.
    ModelMissing
        If the file cannot be fetched, is not GGUF, has another sha256, or the disk is full.
    """
    source = ModelUrl(url)
    if sha256 is not None and not _SHA256.fullmatch(sha256.lower()):
        raise ConfigError(f"sha256 is {sha256!r}; give its 64 hexadecimal digits")
    chosen = name or local_models.name_from(source.file)
    target = local_models.models_folder() / f"{chosen}.gguf"
    local_models.check_free(chosen, str(target), way_out="give another --name")
    if (held := _held_already(chosen, sha256)) is not None:
        return held
    part = PartFile(local_models.models_folder() / f"{source.key}.part")
    with part.faults_told(), part.locked():
        _fetch(source, part, watch)
        digest = _checked(part, sha256, url=source, name=chosen)
        size = part.size
        part.put_in_place(target)
    model = LocalModel(
        name=chosen,
        path=str(target),
        bytes=size,
        sha256=digest,
        source=source.shown,
        owned=True,
    )
    local_models.remember(model)
    return model


def _held_already(name: str, sha256: str | None) -> LocalModel | None:
    held = local_models.local_model(name)
    if held is None:
        return None
    if sha256 is not None and held.sha256 == sha256.lower() and Path(held.path).is_file():
        verify(name)
        return held
    raise ConfigError(
        f"{name!r} is the name of a model with sha256 {held.sha256} already; give another --name, "
        f"or run `hybridroute models remove {name}` first"
    )


def _fetch(url: ModelUrl, part: PartFile, watch: PullWatch) -> None:
    """Collect what is missing. A server that will not go on from there is asked for all of it."""
    if part.is_whole:
        return
    version, have = part.version, part.size
    headers = {}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version.validator:
            headers["If-Range"] = version.validator
    try:
        with opened(url, headers) as answer:
            if _continues(answer, version, have):
                _collect(answer, part, version, host=url.host, watch=watch)
                return
            if answer.status == 200:
                fresh = _version_of(answer)
                part.begin_again(fresh)
                _collect(answer, part, fresh, host=url.host, watch=watch)
                return
            if not have or answer.status not in (206, 416):
                raise ModelMissing(_refusal(answer.status, url))
    except ModelMissing as exc:
        raise _with_way_out(exc, part) from exc.__cause__
    part.begin_again(FileVersion())
    _fetch(url, part, watch)


def _continues(answer: Opened, version: FileVersion, have: int) -> bool:
    """Whether the body is the rest of the very file that was begun."""
    said = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if answer.status != 206 or said is None or int(said[1]) != have:
        return False
    changed = version.validator and _validator(answer) not in ("", version.validator)
    return not changed and version.total in (None, int(said[3]))


def _version_of(answer: Opened) -> FileVersion:
    length = whole_number(answer.headers.get("Content-Length", ""))
    return FileVersion(validator=_validator(answer), total=length)


def _validator(answer: Opened) -> str:
    """What If-Range may carry: a strong ETag, else the date; "" if there is neither."""
    tag = answer.headers.get("ETag", "").strip()
    if tag.startswith('"'):
        return tag
    return answer.headers.get("Last-Modified", "").strip()


def _collect(
    answer: Opened, part: PartFile, version: FileVersion, *, host: str, watch: PullWatch
) -> None:
    have, total = part.size, version.total
    watch.begin(total=total, have=have, host=host)
    _check_space(part.path.parent, None if total is None else total - have)
    start = part.first_bytes()
    with part.path.open("ab", buffering=0) as out:
        for block in answer.blocks():
            start = (start + block[: len(GGUF_MAGIC)])[: len(GGUF_MAGIC)]
            if not GGUF_MAGIC.startswith(start):
                part.drop()
                raise ModelMissing(
                    f"what {host} sends is not a GGUF file (it begins with {start!r}); give the "
                    "URL of the file itself, not of a page about it"
                )
            _write(out, block)
            watch.advance(len(block))
        os.fsync(out.fileno())
    if total is not None and part.size != total:
        raise ModelMissing(f"the connection ended after {part.size} of {total} bytes")
    part.note(replace(version, total=part.size))


def _write(out: BinaryIO, block: bytes) -> None:
    left = memoryview(block)
    while left:  # an unbuffered write may take less, when the disk is nearly full
        left = left[out.write(left) :]


def _check_space(folder: Path, needed: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if needed is not None and needed + _SPARE_BYTES > free:
        raise ModelMissing(
            f"{folder} has {in_mb(free)} free and the rest of the file needs {in_mb(needed)}; free "
            "space there, or set HYBRIDROUTE_CACHE to another folder"
        )


def _checked(part: PartFile, wanted: str | None, *, url: ModelUrl, name: str) -> str:
    local_models.check_gguf(part.path)
    digest = model_store.sha256_of(part.path)
    if wanted is None:
        raise ModelMissing(
            f"{url.shown} has sha256 {digest}. Compare it with what its publisher says; if it is "
            f"the same, run again with --sha256 {digest}: nothing is fetched again"
        )
    if digest != wanted.lower():
        part.drop()
        raise ModelMissing(
            f"{url.shown} has sha256 {digest}, not {wanted.lower()}; it was deleted. Check the "
            f"number, or whether {name} was published anew"
        )
    return digest


def _refusal(status: int, url: ModelUrl) -> str:
    if status in (401, 403):
        why = "it wants a login, and no key is ever sent. Fetch it with its own tool, then run "
        return f"{url.host} refuses the file ({status}): {why}`hybridroute models add NAME PATH`"
    return f"{url.host} answers {status} for {url.shown}; check the URL"


def _with_way_out(exc: ModelMissing, part: PartFile) -> ModelMissing:
    if not part.size:
        return exc
    return ModelMissing(f"{exc}. Run the same command again: it goes on from {in_mb(part.size)}")
