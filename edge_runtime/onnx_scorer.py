"""texts -> scores, with onnxruntime: the router's model as the device runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import MODEL, TOKENIZER, Bundle
from hybridroute.edge_runtime.errors import BundleError, ConfigError, ScoringError
from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.edge_runtime.probability_map import ProbabilityMap
from hybridroute.edge_runtime.protocols import Assessment, ScoreKind
from hybridroute.edge_runtime.tokenizer import Encoded, RouterTokenizer

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
SCORE = "score"
ESTIMATES = "estimates"
UNCERTAINTIES = "uncertainties"
EMBEDDING = "embedding"
_SLOWER_FUSED = ["SkipLayerNormFusion"]
"""On a CPU the fused operator takes three to five times as long as the two it stands for."""


class OnnxScorer:
    """Scores texts with an ONNX router. Safe to call from several threads.

    Parameters
    ----------
    model : bytes
        The ONNX graph: ``input_ids`` and ``attention_mask``, int64 of shape (batch, tokens), to
        ``score``, float32 of shape (batch,); or, of a pool of m arms, to ``estimates`` and, where
        it has them, ``uncertainties``, float32 of shape (batch, m).
    tokenizer : RouterTokenizer
    score_kind : str
        As in the manifest.
    probability_map : ProbabilityMap or None
        Applied to every score of two arms.
    threads : int
        Threads of one call, at least 1.
    batch_size : int
        Texts of equal length scored together. Dynamic int8 shares one activation scale over a
        batch, so that batch-mates move each other's scores; the default of 1 is what is
        calibrated and evaluated.
    spins : bool
        Whether waiting threads keep their cores while a text is scored. On idle cores that is a
        quarter faster; where other work shares them it takes twice the processor time.
    """

    def __init__(
        self,
        model: bytes,
        tokenizer: RouterTokenizer,
        *,
        score_kind: ScoreKind,
        probability_map: ProbabilityMap | None = None,
        threads: int = 2,
        batch_size: int = 1,
        spins: bool = True,
    ) -> None:
        if threads < 1 or batch_size < 1:
            raise ConfigError(f"threads={threads}, batch_size={batch_size}: give at least 1")
        self._session = open_session(model, threads, spins=spins)
        outputs = {item.name for item in self._session.get_outputs()}
        self._is_pool = SCORE not in outputs
        self._outputs = [SCORE]
        if self._is_pool:
            self._outputs = [ESTIMATES, *({UNCERTAINTIES} & outputs)]
        self._tokenizer = tokenizer
        self._score_kind: ScoreKind = score_kind
        self._map = probability_map
        self._batch_size = batch_size

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, *, threads: int = 2, batch_size: int = 1, spins: bool = True
    ) -> OnnxScorer:
        """The scorer of a bundle, from bytes that were checked against the manifest."""
        manifest = bundle.manifest
        tokenizer = RouterTokenizer.from_bytes(
            bundle.read(TOKENIZER), max_tokens=manifest.max_tokens
        )
        return cls(
            bundle.read(MODEL),
            tokenizer,
            score_kind=manifest.score_kind,
            probability_map=manifest.probability_map,
            threads=threads,
            batch_size=batch_size,
            spins=spins,
        )

    @property
    def score_kind(self) -> ScoreKind:
        """What a score estimates."""
        return self._score_kind

    def encode(self, text: str) -> Encoded:
        """The token ids that the model reads for ``text``."""
        return self._tokenizer.encode(text)

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores of shape (n,) in [0, 1], in the order of the texts.

        Raises
        ------
        ScoringError
            If the model fails, gives something that is not a score, or is that of a pool.
        """
        if self._is_pool:
            raise ScoringError("this router estimates several arms; use estimate() in place of it")
        return self._all(texts)[0][:, 0]

    def estimate(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Of a pool's m arms: estimates and, if the router has them, uncertainties, each (n, m).

        Raises
        ------
        ScoringError
            If the model fails, gives what is not finite, or is that of two arms.
        """
        if not self._is_pool:
            raise ScoringError("this router scores two arms; use score() in place of it")
        found = self._all(texts)
        return found[0], found[1] if len(found) > 1 else None

    def assess(self, text: str) -> Assessment:
        """Score one text and say how much of it the tokenizer knows."""
        encoded = self.encode(text)
        found = self._run(np.array([encoded.ids], dtype=np.int64))
        unknown, tokens = encoded.unknown_share, len(encoded.ids)
        if not self._is_pool:
            return Assessment(score=float(found[0][0, 0]), unknown_share=unknown, tokens=tokens)
        estimates, *rest = (tuple(part[0].tolist()) for part in found)
        return Assessment(
            estimates=estimates,
            uncertainties=rest[0] if rest else None,
            unknown_share=unknown,
            tokens=tokens,
        )

    def _all(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Every output, one row a text."""
        encoded = [self.encode(text) for text in texts]
        found: list[NDArray[np.float32]] = []
        for rows in _equal_lengths(encoded, self._batch_size):
            parts = self._run(np.array([encoded[row].ids for row in rows], dtype=np.int64))
            found = found or [np.empty((len(encoded), part.shape[1]), np.float32) for part in parts]
            for whole, part in zip(found, parts, strict=True):
                whole[rows] = part
        return found or [np.empty((0, 1), np.float32) for _ in self._outputs]

    def _run(self, ids: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """The outputs for texts of equal length, each of shape (batch, columns)."""
        feeds = {INPUT_IDS: ids, ATTENTION_MASK: np.ones_like(ids)}
        try:
            found: list[NDArray[np.float32]] = self._session.run(self._outputs, feeds)
        except Exception as exc:  # onnxruntime raises its own classes, all of them from Exception
            raise ScoringError(
                f"the router failed on an input of shape {ids.shape}: {exc}"
            ) from exc
        dimensions = 2 if self._is_pool else 1
        for part in found:
            if part.ndim != dimensions or len(part) != len(ids) or not np.isfinite(part).all():
                raise ScoringError(
                    f"the router gave an output of shape {part.shape} for {len(ids)} texts, or one "
                    "that is not finite; make or fetch the bundle again"
                )
        return found if self._is_pool else [self._scores(found[0])[:, None]]

    def _scores(self, found: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.clip(found, 0.0, 1.0)
        if self._map is None:
            return scores
        return np.array([self._map(score) for score in scores.tolist()], dtype=np.float32)


def open_session(model: bytes, threads: int, *, spins: bool = True) -> Any:
    """An onnxruntime session as the device has it.

    Raises
    ------
    BundleError
        If the graph cannot be loaded, or does not read token ids and a mask.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Workers that spin stop with the text's score: afterwards they would take the cores from the
    # language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spins else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        session = ort.InferenceSession(
            model,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=_SLOWER_FUSED,
        )
    except Exception as exc:  # onnxruntime raises its own classes, all of them from Exception
        raise BundleError(f"{MODEL} cannot be loaded: {exc}") from exc
    inputs = {item.name for item in session.get_inputs()}
    outputs = {item.name for item in session.get_outputs()}
    if inputs != {INPUT_IDS, ATTENTION_MASK} or not outputs & {SCORE, ESTIMATES, EMBEDDING}:
        raise BundleError(
            f"{MODEL} takes {sorted(inputs)} and gives {sorted(outputs)}; a router takes "
            f"{INPUT_IDS}, {ATTENTION_MASK} and gives {SCORE} or {ESTIMATES}"
        )
    return session


def _equal_lengths(encoded: Sequence[Encoded], batch_size: int) -> Iterator[list[int]]:
    """Rows of equal token count, at most ``batch_size`` together: no padding at all."""
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row].ids))
    batch: list[int] = []
    for row in order:
        same = batch and len(encoded[batch[0]].ids) == len(encoded[row].ids)
        if batch and (not same or len(batch) == batch_size):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
