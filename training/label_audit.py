"""What is wrong with a set of responses as a whole: arms missing, unequal numbers of samples."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.answers import AnsweredPrompt


@dataclass(slots=True, kw_only=True)
class _ArmCount:
    prompts: int = 0
    responses: int = 0
    blank: int = 0
    errors: int = 0
    missing_at: str | None = None
    samples: Counter[int] = field(default_factory=Counter)
    first_at: dict[int, str] = field(default_factory=dict)


class LabelAudit:
    """Counts what passes through; ``problems`` says what does not fit together.

    Holds ids, digests and counts only. ``taken_up`` counts rows that an earlier run had labelled.
    """

    def __init__(self) -> None:
        self._arms: dict[str, _ArmCount] = {}
        self._seen: dict[str, tuple[bytes, str]] = {}
        self._first = ""
        self.prompts = 0
        self.repeated = 0
        self.taken_up = 0
        self.unanswered: list[str] = []

    def is_new(self, row: AnsweredPrompt) -> bool:
        """Whether the row is the first of its id; a whole repetition of another is counted.

        Raises
        ------
        DataError
            If the id stood before with other content.
        """
        digest = _digest(row)
        before = self._seen.setdefault(row.id, (digest, row.where))
        if before == (digest, row.where):
            return True
        if before[0] != digest:
            raise DataError(
                f"{row.where}: id {row.id!r} stands at {before[1]} already with other content; "
                "give each prompt an id of its own, or keep one of them"
            )
        self.repeated += 1
        return False

    def count(self, row: AnsweredPrompt) -> None:
        """Take in one row."""
        self._first = self._first or row.where
        answered = {arm: held for arm, held in row.arms.items() if held.responses}
        for arm, held in row.arms.items():
            count = self._arms.get(arm)
            if count is None:
                count = self._arms[arm] = _ArmCount()
                count.missing_at = self._first if self.prompts else None
            count.errors += held.errors
            number = len(held.responses)
            count.prompts += number > 0
            count.responses += number
            count.blank += sum(not text.strip() for text in held.responses)
            if number:
                count.samples[number] += 1
                count.first_at.setdefault(number, row.where)
        for arm, count in self._arms.items():
            if arm not in answered:
                count.missing_at = count.missing_at or row.where
        if not answered:
            self.unanswered.append(row.where)
        self.prompts += 1

    def problems(self) -> list[str]:
        """One line each, with counts and the first place."""
        found = []
        if self.unanswered:
            found.append(
                f"{len(self.unanswered)} of {self.prompts} prompts have no response at all and are "
                f"left out (first: {self.unanswered[0]})"
            )
        for arm, count in self._arms.items():
            missing = self.prompts - count.prompts
            if missing:
                found.append(
                    f"arm {arm!r} has no response for {missing} of {self.prompts} prompts "
                    f"(first: {count.missing_at}); those rows are left out when the pair is trained"
                )
            if len(count.samples) > 1:
                usual = count.samples.most_common(1)[0][0]
                shown = ", ".join(f"{times} x {n}" for n, times in sorted(count.samples.items()))
                other = next(n for n in count.first_at if n != usual)
                found.append(
                    f"arm {arm!r} has unequal numbers of samples (prompts x samples: {shown}; "
                    f"first with {other}: {count.first_at[other]})"
                )
        return found

    def summary(self) -> dict[str, Any]:
        """Counts, ready for JSON."""
        return {
            "prompts": self.prompts - len(self.unanswered),
            "unanswered": len(self.unanswered),
            "repeated": self.repeated,
            "taken_up": self.taken_up,
            "arms": {
                arm: {
                    "prompts": count.prompts,
                    "responses": count.responses,
                    "blank": count.blank,
                    "errors": count.errors,
                }
                for arm, count in self._arms.items()
            },
        }


def _digest(row: AnsweredPrompt) -> bytes:
    arms = {arm: [held.responses, held.given] for arm, held in row.arms.items()}
    content = [plain(row.prompt), row.reference, plain(arms)]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).digest()[:16]
