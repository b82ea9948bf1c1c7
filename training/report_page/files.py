"""The report's folder: report.html, report.json and the figures beside them."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.report_page.contents import Report
from hybridroute.training.report_page.page import figures_of, page_of

PAGE = "report.html"
NUMBERS = "report.json"
_NEEDED = ("matplotlib", "jinja2")
_FILES = {
    "drop": "drop.png",
    "gap": "gap-difference.png",
    "reliability": "reliability.png",
    "labels": "labels.png",
    "shift": "t-star.png",
}


def check_report_place(folder: Path) -> None:
    """See that a report can be drawn and written, before anything is scored.

    Raises
    ------
    ConfigError
        If matplotlib or jinja2 is not installed, or the folder cannot be made or written to.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the report needs {' and '.join(missing)}: pip install 'hybridroute[train]'"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"no folder can be made at {folder} ({exc.strerror})") from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder} cannot be written to; give another folder for the report")


def write_report(report: Report, folder: Path) -> Path:
    """Write the page, its figures and its numbers; return the page's path.

    A file of the same name is replaced at once, never half written.

    Raises
    ------
    ConfigError
        If a file cannot be written.
    """
    figures = figures_of(report)
    held: dict[str, bytes] = {_FILES[name]: one.light for name, one in figures.items()}
    numbers = json.dumps(report.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    held[NUMBERS] = f"{numbers}\n".encode("utf-8", errors="backslashreplace")
    held[PAGE] = page_of(report, figures).encode("utf-8", errors="replace")
    write_files(folder, held)
    return folder / PAGE


def write_files(folder: Path, held: Mapping[str, bytes]) -> None:
    """Write each file whole or not at all. Raises ConfigError."""
    for name, data in held.items():
        try:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(data)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(folder / name)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as exc:
            raise ConfigError(
                f"{folder / name} cannot be written ({exc.strerror}); choose another folder"
            ) from exc
