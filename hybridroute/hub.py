"""Bundles and checkpoints by name: a folder here, or a repository of the Hugging Face hub.

The hub's client is an extra (``hub``), imported when a name is not a folder. A name is looked up
only where the application asks for it by ``from_pretrained``; routing never does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from hybridroute.edge_runtime import bundle as on_device
from hybridroute.edge_runtime.errors import BundleError, ConfigError

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}")


class Bundle(on_device.Bundle):
    """A bundle on disk that can also be fetched by name."""

    __slots__ = ()

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        *,
        local_files_only: bool = False,
        revision: str | None = None,
    ) -> Self:
        """Load a bundle from a folder, or from a hub's repository; every file is checked.

        Parameters
        ----------
        name : str or path
            A folder, or ``owner/name`` on the hub (extra ``hub``).
        local_files_only : bool
            Take the hub's files from this machine's cache; ask no network.
        revision : str or None
            A branch, tag or commit of the hub's repository.

        Raises
        ------
        BundleError
            If there is none of that name, it cannot be fetched, or a file is not the manifest's.
        ConfigError
            If the hub is needed and its client is not installed.
        """
        wanted = (on_device.MANIFEST, on_device.MODEL, on_device.TOKENIZER, on_device.CARD)
        folder = folder_of(
            name, patterns=wanted, local_files_only=local_files_only, revision=revision
        )
        return cls.load(folder)


def folder_of(
    name: str | os.PathLike[str],
    *,
    patterns: Sequence[str],
    local_files_only: bool = False,
    revision: str | None = None,
) -> Path:
    """The folder of that name: one here, else the hub's copy on this machine, fetched if needed.

    Parameters
    ----------
    patterns : sequence of str
        Names of the files that are fetched; no others are.

    Raises
    ------
    BundleError
        If it is neither a folder nor can be fetched.
    ConfigError
        If the hub is needed and its client is not installed.
    """
    text = os.fspath(name)
    if text and "\0" not in text and Path(text).is_dir():
        return Path(text)
    if not _HUB_NAME.fullmatch(text):
        raise BundleError(f"{text!r} is neither a folder nor a name on the hub (owner/name)")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as exc:
        raise ConfigError(
            f"{text!r} is not a folder here; to fetch it from the hub: "
            "pip install 'hybridroute[hub]'"
        ) from exc
    try:
        found = snapshot_download(
            text,
            revision=revision,
            allow_patterns=list(patterns),
            local_files_only=local_files_only,
            library_name="hybridroute",
        )
    except Exception as exc:  # its own errors, its HTTP library's and OSError, over its versions
        raise BundleError(_not_fetched(text, exc, local_files_only=local_files_only)) from exc
    return Path(found)


def _not_fetched(name: str, exc: Exception, *, local_files_only: bool) -> str:
    if local_files_only:
        return (
            f"{name!r} is not a folder here, and not in the hub's cache of this machine; fetch it "
            "once without local_files_only"
        )
    first = next(iter(str(exc).strip().splitlines()), "")
    return (
        f"{name!r} is not a folder here, and the hub did not give it ({type(exc).__name__}: "
        f"{first}); check the name, the network and HF_HUB_OFFLINE"
    )
