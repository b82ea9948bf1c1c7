"""The responses file while it is written: appended line by line, taken up again after a kill."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.arm_spec import ArmSpec
from hybridroute.training.response import Response
from hybridroute.training.responses import read_responses
from hybridroute.training.sampling_plan import SamplingPlan

log = logging.getLogger(__name__)

_BLOCK = 65536
# Without O_BINARY, Windows would write two bytes for a line feed.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


@dataclass(slots=True, kw_only=True)
class Standing:
    """What a responses file holds already.

    Parameters
    ----------
    done : dict of (prompt id, arm) to set of int
        The samples that are there.
    errors : dict of arm to int
        How many of them are errors.
    cost_usd : float
        What all responses of the file cost, other runs' and arms' included.
    """

    done: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    cost_usd: float = 0.0

    def add(self, response: Response, cost_usd: float | None = None) -> None:
        """Count one response; ``cost_usd`` stands in where it states no cost."""
        self.done.setdefault((response.id, response.arm), set()).add(response.sample)
        self.cost_usd += (response.cost_usd or 0.0) if cost_usd is None else cost_usd
        if response.error is not None:
            self.errors[response.arm] = self.errors.get(response.arm, 0) + 1


class ResponseLog:
    """A responses file open for appending, by one process at a time. Use as a context manager.

    A last line that a kill cut off is removed before the first new one is written.

    Raises
    ------
    DataError
        If the file cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end: int | None = None
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is no plain file; choose another place")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, _FLAGS, 0o666)
        except OSError as exc:
            raise self._failed(exc) from exc
        try:
            self._lock()
        except BaseException:
            os.close(self._file)
            raise

    def append(self, response: Response) -> None:
        """Write one line, whole or not at all.

        Raises
        ------
        DataError
            If the disk is full or fails; what was written before stays.
        """
        line = response.to_line()
        try:
            # Not when it is opened: the file may turn out to be another kind of file.
            self._end = self._repaired() if self._end is None else self._end
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as exc:
            self._cut_back()
            raise self._failed(exc) from exc
        self._end += len(line)

    def close(self) -> None:
        """Hand everything to the disk and close; safe to call twice."""
        handle, self._file = self._file, -1
        if handle < 0:
            return
        try:
            os.fsync(handle)
        except OSError as exc:
            log.warning("%s may not be on the disk yet (%s)", self.path, exc.strerror)
        finally:
            os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: two writers are the user's to avoid
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataError(
                f"{self.path} is being written by another process; wait for it, or give another "
                "--out (label takes several files)"
            ) from exc

    def _repaired(self) -> int:
        """Cut a last line without its line feed off; the file's length then."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        keep = self._after_last_line_feed(end)
        if keep < end:
            log.warning("%s: its last line was cut off by a kill and is removed", self.path)
            os.ftruncate(self._file, keep)
        return keep

    def _after_last_line_feed(self, end: int) -> int:
        start = end
        while start > 0:
            begin = max(0, start - _BLOCK)
            os.lseek(self._file, begin, os.SEEK_SET)
            found = os.read(self._file, start - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            start = begin
        return 0

    def _cut_back(self) -> None:
        try:
            if self._end is not None:
                os.ftruncate(self._file, self._end)
        except OSError as exc:
            log.warning("%s: half a line may stand at its end (%s)", self.path, exc.strerror)

    def _failed(self, exc: OSError) -> DataError:
        return DataError(
            f"{self.path} cannot be written ({exc.strerror}); free space or choose another place, "
            "and run the same command again: it goes on where it stopped"
        )


def standing_of(path: Path, plan: SamplingPlan, *, retry_errors: bool = False) -> Standing:
    """Read what is there, and check that it belongs to ``plan``; one response at a time is held.

    Parameters
    ----------
    retry_errors : bool
        Count errors as not done.

    Raises
    ------
    DataError
        If a line is bad, or a prompt of the plan stands there under the same id with other text.
    ConfigError
        If an arm of the plan was sampled with other settings or another seed.
    """
    standing = Standing()
    arms = {arm.name: arm for arm in plan.arms}
    digests = {name: plan.draw.digest(arm) for name, arm in arms.items()}
    for response in read_responses(path):
        _check_prompt(path, response, plan)
        _check_settings(path, response, plan, digests)
        if response.error is None or not retry_errors:
            standing.add(response, _cost_now(response, arms.get(response.arm)))
    return standing


def _cost_now(response: Response, arm: ArmSpec | None) -> float | None:
    """What a response cost whose price was not known when it was drawn, by the plan's price."""
    if arm is None or response.cost_usd is not None:
        return response.cost_usd
    return arm.cost_usd(response.prompt_tokens or 0, response.completion_tokens or 0)


def _check_prompt(path: Path, response: Response, plan: SamplingPlan) -> None:
    row = plan.prompts.get(response.id)
    if row is not None and (row.prompt, row.reference) != (response.prompt, response.reference):
        raise DataError(
            f"{row.where}: the id {response.id!r} stands in {path} with another prompt or "
            "reference; give the prompt a new id, or choose another --out"
        )


def _check_settings(
    path: Path, response: Response, plan: SamplingPlan, digests: Mapping[str, str]
) -> None:
    wanted = digests.get(response.arm)
    if wanted is None or response.id not in plan.prompts:
        return
    held = f"temperature {response.temperature}, max_tokens {response.max_tokens}"
    if response.settings != wanted:
        raise ConfigError(
            f"{path} holds responses of arm {response.arm!r} with other settings (model "
            f"{response.model}, {held}, or another top-p, template or stop); use the same, or "
            "choose another --out"
        )
    if response.seed != plan.draw.seed_of(response.id, response.arm, response.sample):
        raise ConfigError(
            f"{path} holds responses of arm {response.arm!r} from another --seed; use the same, "
            "or choose another --out"
        )
