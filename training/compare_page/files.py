"""The comparison's folder: compare.html, compare.json and the figures."""

from __future__ import annotations

import json
from pathlib import Path

from hybridroute.training.compare_page.page import figures_of, page_of
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.report_page.files import write_files

PAGE = "compare.html"
NUMBERS = "compare.json"
_FILES = {"cost": "cost.png", "scaling": "scaling-up.png", "choices": "choices.png"}


def write_comparison(found: Comparison, folder: Path) -> Path:
    """Write the page, its figures and its numbers; return the page's path.

    Raises
    ------
    ConfigError
        If a file cannot be written.
    """
    figures = figures_of(found)
    held = {_FILES[name]: one.light for name, one in figures.items()}
    numbers = json.dumps(found.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    held[NUMBERS] = f"{numbers}\n".encode("utf-8", errors="backslashreplace")
    held[PAGE] = page_of(found, figures).encode("utf-8", errors="replace")
    write_files(folder, held)
    return folder / PAGE
