"""Quality functions by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality.contains_reference import contains_reference
from hybridroute.training.quality.exact_match import exact_match
from hybridroute.training.quality.given import GIVEN, given_score
from hybridroute.training.quality.numeric_match import numeric_match
from hybridroute.training.quality.own import own_quality
from hybridroute.training.quality.protocol import QualityFunction
from hybridroute.training.quality.token_f1 import token_f1

if TYPE_CHECKING:
    from hybridroute.training.quality.bart_model import BartModel
    from hybridroute.training.quality.bartscore import Direction
    from hybridroute.training.quality.bertscore import BertModel, Part
    from hybridroute.training.quality.gguf_likelihood import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOptions:
    """What the functions are made with.

    Parameters
    ----------
    bart_model : str
        Folder or hub name, for ``bartscore-*``.
    bert_model : str
        ``"minilm"``, folder or hub name, for ``bertscore*``.
    bert_layer : int or None
        None: the layer known for the model.
    gguf : str
        A name of the model registry or a GGUF file, for ``loglik-*``.
    numeric_tolerance : float
        Relative, and absolute near 0, for ``numeric-match``.
    context_tokens : int
        For ``loglik-*``.
    threads : int
        For ``loglik-*``; 0: the physical cores but one. torch's threads are set by the program.
    """

    bart_model: str = "facebook/bart-large-cnn"
    bert_model: str = "minilm"
    bert_layer: int | None = None
    gguf: str = "smollm2-135m"
    numeric_tolerance: float = 1e-9
    context_tokens: int = 2048
    threads: int = 0

    def settings(self) -> dict[str, Any]:
        """All that a quality depends on, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "threads"}


class _Models:
    """Models loaded once, for however many functions share them."""

    def __init__(self, options: QualityOptions) -> None:
        self.options = options
        self.bart = cache(self._bart)
        self.bert = cache(self._bert)

    def _bart(self) -> BartModel:
        _installed("bartscore", "transformers")
        from hybridroute.training.quality.bart_model import BartModel

        return BartModel(self.options.bart_model)

    def _bert(self) -> BertModel:
        _installed("bertscore", "bert_score")
        from hybridroute.training.quality.bertscore import BertModel

        return BertModel(self.options.bert_model, self.options.bert_layer)


def _installed(name: str, module: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"{name} needs {module}: pip install 'hybridroute[train]'")


def _bart(direction: Direction) -> Callable[[_Models], QualityFunction]:
    def build(models: _Models) -> QualityFunction:
        model = models.bart()
        from hybridroute.training.quality.bartscore import BartScore

        return BartScore(direction=direction, model=model)

    return build


def _bert(part: Part) -> Callable[[_Models], QualityFunction]:
    def build(models: _Models) -> QualityFunction:
        model = models.bert()
        from hybridroute.training.quality.bertscore import BertScore

        return BertScore(part=part, model=model)

    return build


def _loglik(target: Target) -> Callable[[_Models], QualityFunction]:
    def build(models: _Models) -> QualityFunction:
        from hybridroute.edge_runtime.engines import default_threads
        from hybridroute.edge_runtime.model_registry import resolve
        from hybridroute.training.quality.gguf_likelihood import GgufLikelihood
        from hybridroute.training.quality.gguf_model import GgufModel

        options = models.options
        file = resolve(options.gguf)
        model = GgufModel(
            file.path,
            context_tokens=options.context_tokens,
            threads=options.threads or default_threads(),
        )
        return GgufLikelihood(target, model, file.name)

    return build


_BUILDERS: Mapping[str, Callable[[_Models], QualityFunction]] = {
    "exact-match": lambda _: exact_match(),
    "numeric-match": lambda models: numeric_match(models.options.numeric_tolerance),
    "token-f1": lambda _: token_f1(),
    "contains-reference": lambda _: contains_reference(),
    "bertscore": _bert("f1"),
    "bertscore-precision": _bert("precision"),
    "bertscore-recall": _bert("recall"),
    "bartscore-faithfulness": _bart("faithfulness"),
    "bartscore-precision": _bart("precision"),
    "bartscore-recall": _bart("recall"),
    "bartscore-f": _bart("f"),
    "loglik-response": _loglik("response"),
    "loglik-reference": _loglik("reference"),
    GIVEN: lambda _: given_score(),
}


def quality_names() -> tuple[str, ...]:
    """Every name; beside them ``given:NAME`` and ``module:attribute``."""
    return tuple(_BUILDERS)


def check_quality_names(names: Sequence[str]) -> None:
    """Refuse a name that no function has; a module of the user's is not looked for yet.

    Raises
    ------
    ConfigError
        Names it, and those there are.
    """
    for name in names:
        home, _, attribute = name.rpartition(":")
        if name not in _BUILDERS and not (home and attribute):
            raise ConfigError(
                f"no quality is called {name!r}; choose from {', '.join(_BUILDERS)}, given:NAME "
                "for a score in the file, or module:attribute for your own"
            )


def build_quality(name: str, options: QualityOptions | None = None) -> QualityFunction:
    """The function called ``name``; ``given:NAME`` is a score in the file, ``module:attribute``
    the user's own.

    Raises
    ------
    ConfigError
        If there is none of that name, or what it needs is not there.
    """
    return build_qualities([name], options)[0]


def build_qualities(
    names: Sequence[str], options: QualityOptions | None = None
) -> tuple[QualityFunction, ...]:
    """The functions called ``names``, in order; models that several use are loaded once.

    Raises
    ------
    ConfigError
        As ``build_quality``, or if there is no name or two functions have the same.
    """
    check_quality_names(names)
    models = _Models(options or QualityOptions())
    built = tuple(_built(name, models) for name in names)
    called = [function.name for function in built]
    if not called or len(set(called)) != len(called):
        raise ConfigError(f"the qualities are {called}; give at least one, and each once")
    return built


def _built(name: str, models: _Models) -> QualityFunction:
    builder = _BUILDERS.get(name)
    if builder is not None:
        return builder(models)
    home, _, attribute = name.rpartition(":")
    return given_score(attribute) if home == GIVEN else own_quality(name)
