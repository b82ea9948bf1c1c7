"""As much of the Hugging Face hub as its client asks of it for one repository, on loopback."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(repository: str, files: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """The hub's address, and the list of paths it is asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Hub,), {"repository": repository, "files": files, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository = ""
    files: Mapping[str, bytes] = {}
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        api = f"/api/models/{self.repository}"
        if path == api or path.startswith(f"{api}/revision/"):
            siblings = [{"rfilename": name} for name in self.files]
            info = {"id": self.repository, "sha": COMMIT, "siblings": siblings, "private": False}
            return self._send(json.dumps(info).encode(), body=body)
        if path.startswith(f"{api}/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}
                for name, data in self.files.items()
            ]
            return self._send(json.dumps(tree).encode(), body=body)
        start = f"/{self.repository}/resolve/"
        name = path.removeprefix(start).partition("/")[2] if path.startswith(start) else ""
        if name in self.files:
            data = self.files[name]
            return self._send(data, body=body, etag=f'"{_oid(data)}"')
        return self._send(b"{}", body=body, status=404, x_error_code="RepoNotFound")

    def _send(self, data: bytes, *, body: bool, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
