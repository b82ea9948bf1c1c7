"""Every error this package raises on purpose, in one tree.

Foreign errors (requests, onnxruntime, tokenizers, the llama.cpp engines, OSError) are mapped to
these at the boundary with ``raise ... from exc``. A message says what was wrong, which value, and
what to do about it; it never holds a key, a prompt or an answer.
"""

from __future__ import annotations


class HybridRouteError(Exception):
    """Base of every error raised by hybridroute.

    Parameters
    ----------
    message : str
        What was wrong and what to do.
    param : str or None
        The argument, or the field of a request, that is wrong: ``"dial"``, ``"messages[0].role"``.
        None where it is none, or not known which.
    """

    def __init__(self, message: str = "", *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ConfigError(HybridRouteError):
    """A setting, an argument or the installation is wrong; nothing was called."""


class EngineMissing(ConfigError):
    """No llama.cpp engine is installed."""


class ModelMissing(ConfigError):
    """A model file is not on this device, or it is not the file the registry names."""


class RequestError(HybridRouteError):
    """The request itself cannot be served by any arm (empty messages, malformed content)."""


class NoCapableArm(RequestError):
    """Every arm was left out before scoring; the message gives each arm's reason."""


class DataError(HybridRouteError):
    """An outcome table, a prompt file or a decision log is malformed, or lacks what is asked for.

    The message names the file, and line and field where there are any.
    """


class TrainingError(HybridRouteError):
    """A router could not be fitted, calibrated or exported."""


class BundleError(HybridRouteError):
    """A bundle is missing, corrupt, altered or of a newer schema."""


class ScoringError(HybridRouteError):
    """The router could not score a text."""


class ArmError(HybridRouteError):
    """An arm failed to answer.

    Parameters
    ----------
    message : str
        What happened and what to do.
    arm : str
        The arm's name, for example ``"cloud"``.
    status : int or None
        The HTTP status, where there was one.
    param : str or None
        The field of the request that the arm cannot use, where it is known.
    """

    def __init__(
        self, message: str, *, arm: str = "", status: int | None = None, param: str | None = None
    ) -> None:
        super().__init__(message, param=param)
        self.arm = arm
        self.status = status


class ArmTimeout(ArmError):
    """No answer, or no next chunk, within the time allowed."""


class ArmUnavailable(ArmError):
    """The arm cannot be reached or is overloaded; another try later may succeed."""


class NoAnswer(ArmUnavailable):
    """The arm answered in form and gave no answer: there is no choice to read."""


class StreamInterrupted(ArmUnavailable):
    """A stream ended in the middle; what had arrived was already handed to the caller."""


class ArmRefused(ArmError):
    """The arm understood and refused: bad key, bad request; the same call will fail again."""


WRONG_REQUEST = frozenset({400, 422})
"""The statuses of an ArmRefused that say the request is wrong, whichever arm is asked."""


class ContextOverflow(ArmRefused):
    """The prompt does not fit the arm's context; the message names both sizes in tokens."""
