"""The page at ``/``: HTML, a style sheet and small modules, served as they are."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    **{
        f"/page/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("app", "api", "chat", "dial", "draw", "panels", "promises", "words")
    },
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
}


def page_routes() -> list[Route]:
    """The page's files, read once. None of them holds anything of this server."""
    return [_route(path, name, kind) for path, (name, kind) in _FILES.items()]


def _route(path: str, name: str, kind: str) -> Route:
    body = files(__name__).joinpath(name).read_bytes()

    async def give(request: Request) -> Response:  # noqa: ARG001 (Starlette's arguments)
        return Response(body, media_type=kind, headers={"cache-control": "no-cache"})

    return Route(path, give)
