"""Token log-probabilities under a local GGUF model, for the positions wanted and no others.

``logits_all`` would reserve the context's length times the vocabulary; here one batch flags the
positions whose logits are read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, EngineMissing, ModelMissing, TrainingError

# Tokens evaluated in one call. llama.cpp keeps a row of the vocabulary for each flagged position:
# 64 MB for Gemma's 262,144.
_BLOCK = 64
_SILENT = logging.CRITICAL + 1


class GgufModel:
    """A loaded model that says how likely a continuation is. Not thread-safe.

    Parameters
    ----------
    path : Path
    context_tokens : int
        The longest prefix and continuation together.
    threads : int

    Raises
    ------
    EngineMissing
        If llama-cpp-python is not installed; the other engine tells no log-probabilities.
    ModelMissing
        If llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, *, context_tokens: int, threads: int) -> None:
        self._api = api = _imported()
        self._context: Any = None
        self._model: Any = None
        api.llama_backend_init()
        self._model = api.llama_model_load_from_file(
            str(path).encode(), api.llama_model_default_params()
        )
        if not self._model:
            raise ModelMissing(f"llama.cpp cannot load {path}; is it a whole GGUF model file?")
        self._vocab = api.llama_model_get_vocab(self._model)
        self.vocabulary = int(api.llama_vocab_n_tokens(self._vocab))
        settings = api.llama_context_default_params()
        trained = int(api.llama_model_n_ctx_train(self._model))
        settings.n_ctx = min(context_tokens, trained or context_tokens)
        settings.n_batch = settings.n_ubatch = _BLOCK
        settings.n_threads = settings.n_threads_batch = threads
        settings.no_perf = True
        # Its half-precision sums move single tokens by a tenth of a nat.
        settings.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._context = api.llama_init_from_model(self._model, settings)
        if not self._context:
            self.close()
            raise ModelMissing(f"llama.cpp cannot make a context of {context_tokens} for {path}")
        self.context_tokens = int(api.llama_n_ctx(self._context))
        self._held: list[int] = []

    def tokenize(self, text: str, *, begin: bool) -> list[int]:
        """Token ids; special tokens' texts are read as plain text. ``begin`` adds the begin token.

        Raises
        ------
        TrainingError
            If llama.cpp cannot tokenize the text.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        tokens = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(self._vocab, data, len(data), tokens, room, begin, False)
        if count < 0:
            raise TrainingError(f"llama.cpp could not tokenize a text of {len(data)} bytes")
        return list(tokens[:count])

    def log_probabilities(self, prefix: Sequence[int], target: Sequence[int]) -> NDArray[Any]:
        """log p of each target token given the prefix and the target tokens before it, (len,).

        What the prefix shares with the last call's tokens is not computed again.

        Raises
        ------
        ConfigError
            If the prefix is empty, or both do not fit the context.
        TrainingError
            If llama.cpp fails.
        """
        whole = [*prefix, *target]
        if not prefix or len(whole) > self.context_tokens:
            raise ConfigError(
                f"prefix of {len(prefix)} and target of {len(target)} tokens; give a prefix, and "
                f"at most {self.context_tokens} tokens together"
            )
        first = len(prefix) - 1  # its logits tell the first target token
        for place in range(self._keep(whole[:first]), first, _BLOCK):
            self._evaluate(whole[place : min(place + _BLOCK, first)], place)
        self._held = whole[: first // _BLOCK * _BLOCK]
        found: list[float] = []
        # The last token tells nothing that is wanted, so it is not evaluated.
        for place in range(first, len(whole) - 1, _BLOCK):
            piece = whole[place : min(place + _BLOCK, len(whole) - 1)]
            found += self._evaluate(piece, place, whole[place + 1 : place + 1 + len(piece)])
        return np.array(found, dtype=np.float64)

    def _keep(self, wanted: Sequence[int]) -> int:
        """Drop from the context all but what ``wanted`` begins with; how much is kept.

        Only whole blocks are kept: results depend in their last bits on how tokens were cut into
        calls, and so no score depends on what was scored before it.
        """
        pairs = zip(self._held, wanted, strict=False)
        shared = next(
            (place for place, (held, new) in enumerate(pairs) if held != new),
            min(len(self._held), len(wanted)),
        )
        shared = shared // _BLOCK * _BLOCK
        memory = self._api.llama_get_memory(self._context)
        if not self._api.llama_memory_seq_rm(memory, 0, shared, -1):
            self._api.llama_memory_clear(memory, True)
            shared = 0
        self._held.clear()  # until all is evaluated
        return shared

    def _evaluate(
        self, tokens: Sequence[int], start: int, after: Sequence[int] = ()
    ) -> list[float]:
        """Evaluate tokens from position ``start``; log p of ``after[i]`` behind the i-th, if given.

        Without ``after`` no logits are kept.
        """
        api = self._api
        batch = api.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for index, token in enumerate(tokens):
                batch.token[index] = token
                batch.pos[index] = start + index
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = 0
                batch.logits[index] = bool(after)
            code = api.llama_decode(self._context, batch)
        finally:
            api.llama_batch_free(batch)
        if code != 0:
            raise TrainingError(f"llama.cpp could not evaluate {len(tokens)} tokens (code {code})")
        return [self._log_probability(index, token) for index, token in enumerate(after)]

    def _log_probability(self, index: int, token: int) -> float:
        pointer = self._api.llama_get_logits_ith(self._context, index)
        logits = np.ctypeslib.as_array(pointer, shape=(self.vocabulary,))
        top = float(logits.max())
        total = np.exp(logits - top, dtype=np.float32).sum(dtype=np.float64)
        return float(logits[token]) - top - float(np.log(total))

    def close(self) -> None:
        """Free context and model; safe to call twice."""
        context, self._context = self._context, None
        model, self._model = self._model, None
        if context:
            self._api.llama_free(context)
        if model:
            self._api.llama_model_free(model)


def _imported() -> Any:
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as exc:
        raise EngineMissing(
            "log-likelihoods need llama-cpp-python: pip install 'hybridroute[llama]'"
        ) from exc
    printer = logging.getLogger("llama-cpp-python")
    # Left unset, that package prints every line of llama.cpp's log to stderr.
    if printer.level == logging.NOTSET:
        printer.setLevel(_SILENT)
    return llama_cpp
