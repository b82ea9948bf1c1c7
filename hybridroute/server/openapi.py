"""The API's own description, ``/openapi.json``."""

from __future__ import annotations

import json
from importlib.resources import files

from starlette.responses import Response

from hybridroute._version import __version__


def document() -> Response:
    """The OpenAPI document, with this package's version."""
    text = files("hybridroute.server").joinpath("openapi.json").read_text(encoding="utf-8")
    held = json.loads(text)
    held["info"]["version"] = __version__
    return Response(json.dumps(held, indent=1), media_type="application/json")
