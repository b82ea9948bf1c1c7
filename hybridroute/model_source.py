"""Where a model file is fetched from: a checked URL, and the answer to one GET of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from hybridroute.cloud.failures import reason_of
from hybridroute.cloud.line import KeyAuth, Line
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.loopback import is_loopback

MOST_REDIRECTS = 5
CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 30.0
"""The longest wait for the headers, and between two reads of the body."""

_BLOCK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_FAULTS = (requests.RequestException, HTTPError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class ModelUrl:
    """A URL that a model may be fetched from: https, or http on this machine.

    Raises
    ------
    ConfigError
        If it is something else, or holds a user name or password.
    """

    text: str

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.text)
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError as exc:
            raise ConfigError("that is not a URL; give one like https://host/model.gguf") from exc
        if not parts.hostname or not port_is_fine or re.search(r"[\s\\]", self.text):
            raise ConfigError("the URL has no usable host; give one like https://host/model.gguf")
        if "@" in parts.netloc:
            # Not shown: it may be a password.
            raise ConfigError("the URL holds a user name; models are fetched without signing in")
        if parts.scheme != "https" and not (parts.scheme == "http" and self.is_loopback):
            raise ConfigError(
                f"{self.shown} is not https; only a server on this machine may be asked over http"
            )

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.text)

    @property
    def host(self) -> str:
        """The host's name, without port."""
        return self._parts.hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(self.host)

    @property
    def file(self) -> str:
        """The last part of the path, decoded."""
        return PurePosixPath(unquote(self._parts.path)).name

    @property
    def shown(self) -> str:
        """The URL without query and fragment, which may hold a signature."""
        text = self._parts._replace(query="", fragment="").geturl()
        return "".join(char for char in text if char.isprintable())

    @property
    def key(self) -> str:
        """A short name for this very URL, for the file that its bytes are collected in."""
        return hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()[:24]

    def follow(self, location: str) -> ModelUrl:
        """Where a redirect leads: to https, or from http on this machine to the same.

        Raises
        ------
        ModelMissing
            If it leads anywhere else.
        """
        try:
            target = ModelUrl(urljoin(self.text, location))
        except (ConfigError, ValueError) as exc:
            raise ModelMissing(
                f"{self.host} redirects to what is not an https URL; give the URL of the file "
                "itself"
            ) from exc
        if self._parts.scheme == "https" and target._parts.scheme != "https":
            raise ModelMissing(f"{self.host} redirects from https to http; it was not followed")
        return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The headers of an answer, with its body still to be read."""

    status: int
    headers: Mapping[str, str]
    response: requests.Response

    def blocks(self) -> Iterator[bytes]:
        """The body as it arrives. Raises ModelMissing if the connection breaks or falls silent."""
        while True:
            try:
                # read1() hands over what is there: what has come before a cut is not lost.
                block: bytes = self.response.raw.read1(_BLOCK, decode_content=False)
            except _FAULTS as exc:
                raise ModelMissing(f"the connection broke ({type(exc).__name__})") from exc
            if not block:
                return
            yield block


@contextmanager
def opened(url: ModelUrl, headers: Mapping[str, str]) -> Iterator[Opened]:
    """GET a URL, following redirects. No key, cookie or password is sent, to any host.

    Raises
    ------
    ModelMissing
        If no host answers, there are more than five redirects, or one leads away from https.
    """
    for _ in range(MOST_REDIRECTS + 1):
        # A proxy must not see what is meant for this machine.
        line = Line(no_proxy=url.host if url.is_loopback else "")
        try:
            with closing(_sent(line, url, headers)) as response:
                location = response.headers.get("Location")
                if response.status_code not in _REDIRECTS or location is None:
                    yield Opened(
                        status=response.status_code, headers=response.headers, response=response
                    )
                    return
            url = url.follow(location)
        finally:
            line.cut()
            line.close()
    raise ModelMissing(f"more than {MOST_REDIRECTS} redirects; give the URL of the file itself")


def _sent(line: Line, url: ModelUrl, headers: Mapping[str, str]) -> requests.Response:
    ours = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "hybridroute"}
    # An auth object that adds nothing keeps requests away from ~/.netrc.
    request = requests.Request("GET", url.text, headers=ours | dict(headers), auth=KeyAuth(None))
    try:
        return line.send(
            request, connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=SILENCE_TIMEOUT_S
        )
    except _FAULTS as exc:
        # Not the error's message, which may hold the URL's query.
        raise ModelMissing(f"{url.host} cannot be reached ({reason_of(exc)})") from exc
