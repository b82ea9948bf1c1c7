"""What ``doctor`` found, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found out: what was looked at, how it stands, and what to do about it."""

    name: str
    status: Status
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All findings, and whether a query can be routed and answered."""

    findings: tuple[Finding, ...]
    routes: bool
    arms: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the router works and at least one arm can answer."""
        return self.routes and bool(self.arms)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.routes:
            return "Queries cannot be routed."
        if not self.arms:
            return "Queries can be routed, but no arm can answer them."
        if len(self.arms) == 1:
            return f"Queries can be answered, by the {self.arms[0]} arm alone."
        return "Queries can be routed and answered."

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        findings = [
            {"name": one.name, "status": one.status, "found": one.found, "advice": one.advice}
            for one in self.findings
        ]
        return {
            "ok": self.ok,
            "routes": self.routes,
            "arms": list(self.arms),
            "verdict": self.verdict,
            "findings": findings,
        }
