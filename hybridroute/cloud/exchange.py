"""One answer being read: its bytes, its limits, and what is freed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from hybridroute.cloud.call import Call, Cause
from hybridroute.cloud.failures import Failures, reason_of
from hybridroute.edge_runtime.errors import ArmError

_READ_BYTES = 65536
_DRAIN_READS = 4

# What urllib3 and http.client raise when a socket is shut down, or their file is closed, in the
# middle of a read.
_READ_FAULTS = (HTTPError, OSError, ValueError, AttributeError)


class Exchange:
    """An answer whose headers have come.

    Parameters
    ----------
    call : Call
        The call's deadline.
    response : requests.Response
        Opened with ``stream=True``; nothing of its body read.
    failures : Failures
        Makes this call's errors.
    max_bytes : int
        The longest body read.
    give_back : callable
        Takes the call when the answer has ended, to use its line again or to close it.
    """

    def __init__(
        self,
        call: Call,
        response: requests.Response,
        failures: Failures,
        *,
        max_bytes: int,
        give_back: Callable[[Call], None],
    ) -> None:
        self.response = response
        self.failures = failures
        self._call = call
        self._max_bytes = max_bytes
        self._give_back = give_back
        self._is_released = False

    def pieces(self) -> Iterator[bytes]:
        """The body's bytes as they arrive.

        Raises
        ------
        ArmTimeout
            At the deadline, or after too long a silence.
        StreamInterrupted
            If the connection breaks.
        ArmError
            If the body is longer than ``max_response_bytes``.
        """
        total = 0
        while data := self._read():
            total += len(data)
            if total > self._max_bytes:
                raise self.failures.unfit(
                    f"sent an answer longer than max_response_bytes={self._max_bytes}"
                )
            yield data

    def _read(self) -> bytes:
        self.check()
        try:
            # Not iter_lines() or iter_content(): they wait for a full buffer on bodies that are
            # not chunked. read1() returns what one read of the socket gave.
            data: bytes = self.response.raw.read1(_READ_BYTES, decode_content=True)
        except _READ_FAULTS as exc:
            self.check(exc)
            if isinstance(exc, (ReadTimeoutError, TimeoutError)):
                raise self.failures.silence() from exc
            raise self.failures.broken(
                f"the connection broke in the middle of the answer ({reason_of(exc)})"
            ) from exc
        self.check()
        return data

    def check(self, exc: BaseException | None = None) -> None:
        """Raise the call's error, if it was cut."""
        if self._call.cause is not None:
            raise self.failures.from_cut(self._call.cause) from exc

    def drain(self, seconds: float = 0.05) -> None:
        """Read the end of a body whose content is complete, so that the connection can be kept.

        A server that keeps a finished stream open, or goes on sending, is not followed: a few
        reads of at most ``seconds`` each.
        """
        self._call.line.limit_reads(seconds)
        with suppress(ArmError):
            for _ in zip(range(_DRAIN_READS), self.pieces(), strict=False):
                pass

    def cut(self, cause: Cause) -> None:
        """End the answer from another thread; the reader wakes up and releases it."""
        self._call.cut(cause)

    def release(self) -> None:
        """Close the response and give the line back."""
        if not self._is_released:
            self._is_released = True
            self._call.finish()
            self.response.close()
            self._give_back(self._call)

    def drop(self) -> None:
        """Free everything without a lock or a wait: for finalizers, where nobody reads any more."""
        if not self._is_released:
            self._is_released = True
            self._call.forget()
            self._call.line.cut()
            self.response.close()
            self._give_back(self._call)
