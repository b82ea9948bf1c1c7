"""An arm as it is written on the command line and in the settings.

``NAME=MODEL[,option=value...]`` where MODEL is a name of the model registry, the path of a GGUF
file, or ``MODEL@URL`` for an OpenAI-compatible endpoint.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from hybridroute.edge_runtime.chat import Usage
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.prices import Prices

FEW_SHOT = "few-shot"
"""The packaged template for base models: shown questions with short answers."""
FEW_SHOT_STOP = "\nQuestion:"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WHOLE = frozenset({"slots", "threads", "context"})
_NUMBERS = frozenset({"price_in", "price_out", "rate"})
_LOCAL_ONLY = ("threads", "context", "template", "engine")
_CLOUD_ONLY = ("key_env", "rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSpec:
    """One arm to sample from.

    Parameters
    ----------
    name : str
        In the responses file.
    model : str
        A registry name, a GGUF path, or the model's name at ``url``.
    url : str or None
        The endpoint's base URL; None runs the model in this process.
    slots : int or None
        Answers at the same time; None leaves the choice to the arm.
    threads, context : int or None
        Of a model in this process: threads, and tokens of prompt and answer.
    template : str or None
        ``few-shot`` or the path of a Jinja template.
    engine : str or None
        The llama.cpp engine.
    stop : str or None
        A text that ends an answer.
    key_env : str or None
        The variable that holds the endpoint's key, "" for none.
    rate : float or None
        Most requests a minute.
    price_in, price_out : float or None
        US dollars per million tokens. A model in this process costs nothing unless they are given.

    Raises
    ------
    ConfigError
        If a value is out of range or does not fit the kind of arm.
    """

    name: str
    model: str
    url: str | None = None
    slots: int | None = None
    threads: int | None = None
    context: int | None = None
    template: str | None = None
    engine: str | None = None
    stop: str | None = None
    key_env: str | None = None
    rate: float | None = None
    price_in: float | None = None
    price_out: float | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"the arm's name {self.name!r} is not one of letters, digits, . _ -")
        if not self.model:
            raise ConfigError(f"arm {self.name}: no model is named; give {self.name}=MODEL")
        for name in (*_WHOLE, *_NUMBERS):
            self._check_number(name)
        wrong = _CLOUD_ONLY if self.url is None else _LOCAL_ONLY
        for name in wrong:
            if getattr(self, name) is not None:
                kind = "a model in this process" if self.url is None else "an endpoint"
                raise ConfigError(f"arm {self.name}: {_written(name)} is not for {kind}")
        if (self.price_in is None) is not (self.price_out is None):
            raise ConfigError(f"arm {self.name}: give price-in and price-out together")

    def _check_number(self, name: str) -> None:
        value = getattr(self, name)
        if value is None:
            return
        least = 1 if name in _WHOLE else 0
        if not math.isfinite(value) or value < least or (name == "rate" and value == 0):
            raise ConfigError(f"arm {self.name}: {_written(name)} is {value:g}; give more")

    @property
    def is_local(self) -> bool:
        """Whether the model runs in this process."""
        return self.url is None

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer: the few-shot template has one of its own."""
        if self.stop is not None:
            return (self.stop,)
        return (FEW_SHOT_STOP,) if self.template == FEW_SHOT else ()

    def template_text(self) -> str | None:
        """The Jinja template, or None for the model's own.

        Raises
        ------
        ConfigError
            If its file cannot be read.
        """
        if self.template is None:
            return None
        if self.template == FEW_SHOT:
            from importlib.resources import files

            packaged = files("hybridroute.demo").joinpath("few_shot.jinja")
            return packaged.read_text(encoding="utf-8")
        try:
            return Path(self.template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(
                f"arm {self.name}: the template {self.template} cannot be read ({exc}); give "
                f"{FEW_SHOT} or a Jinja file"
            ) from exc

    def digest(self, sampling: Mapping[str, float | int]) -> str:
        """A short hash of all that shapes the answers: 12 hexadecimal digits.

        How many are generated at the same time, threads, rate and price are left out.
        """
        shaping = {
            "model": self.model,
            "url": self.url,
            "template": self.template_text(),
            "stop": self.stops,
            **sampling,
        }
        text = json.dumps(shaping, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """US dollars of one answer; None where no price is known."""
        if self.price_in is None or self.price_out is None:
            return 0.0 if self.is_local else None
        usage = Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=prompt_tokens + completion_tokens,
        )
        prices = Prices(in_usd_per_million=self.price_in, out_usd_per_million=self.price_out)
        return prices.cost_usd(usage)


def parse_arm(text: str) -> ArmSpec:
    r"""Read ``NAME=MODEL[@URL][,option=value...]``; ``\n`` in ``stop`` is a line feed.

    Raises
    ------
    ConfigError
        Names the arm and the option.

    Examples
    --------
    >>> parse_arm("cloud=gpt-4o-mini@https://api.openai.com/v1,rate=60").url
    'https://api.openai.com/v1'
    """
    name, equals, rest = text.partition("=")
    if not equals:
        raise ConfigError(f"--arm {text!r} is not NAME=MODEL, such as edge=smollm2-135m")
    place, *options = rest.split(",")
    model, at, url = place.rpartition("@http")
    if not at:
        model = place
    return _spec(name, model, f"http{url}" if at else None, _options(name, options))


def _options(name: str, options: list[str]) -> dict[str, str]:
    known = {item.name for item in fields(ArmSpec)} - {"name", "model", "url"}
    held: dict[str, str] = {}
    for option in options:
        written, equals, value = option.partition("=")
        key = written.replace("-", "_")
        if not equals or key not in known:
            there = ", ".join(_written(one) for one in sorted(known))
            raise ConfigError(f"arm {name}: {option!r} is not an option; there are {there}")
        if key in held:
            raise ConfigError(f"arm {name}: {written} is given twice")
        held[key] = value
    return held


def _spec(name: str, model: str, url: str | None, held: Mapping[str, str]) -> ArmSpec:
    def whole(key: str) -> int | None:
        return int(number) if (number := real(key)) is not None else None

    def real(key: str) -> float | None:
        try:
            number = float(held[key]) if key in held else None
        except ValueError:
            number = math.nan
        if number is None or (math.isfinite(number) and (key not in _WHOLE or number % 1 == 0)):
            return number
        what = "a whole number" if key in _WHOLE else "a number"
        raise ConfigError(f"arm {name}: {_written(key)} is {held[key]!r}; give {what}")

    stop = held.get("stop")
    return ArmSpec(
        name=name,
        model=model,
        url=url,
        slots=whole("slots"),
        threads=whole("threads"),
        context=whole("context"),
        template=held.get("template"),
        engine=held.get("engine"),
        stop=None if stop is None else stop.replace("\\n", "\n") or None,
        key_env=held.get("key_env"),
        rate=real("rate"),
        price_in=real("price_in"),
        price_out=real("price_out"),
    )


def _written(key: str) -> str:
    return key.replace("_", "-")
