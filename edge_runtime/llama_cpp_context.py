"""One llama.cpp model and context through llama-cpp-python's C functions.

The C functions and not ``llama_cpp.Llama``: that class points the whole process's stdout and
stderr at the null device while it loads, which loses other threads' output.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import ArmError, ModelMissing
from hybridroute.edge_runtime.protocols import EngineOptions
from hybridroute.edge_runtime.sampling import Sampling

PROMPT_BLOCK = 64
"""The most prompt tokens evaluated in one call, so the longest wait before a cancel is seen."""

_FINE_BLOCK = 8
_FINE_UNTIL = 24
_SILENT = logging.CRITICAL + 1


def prompt_ends(count: int) -> list[int]:
    """Where the pieces end in which a prompt of ``count`` tokens is evaluated.

    llama.cpp's results depend in their last bits on how a prompt is cut, so the cuts depend on
    positions alone and a piece computed earlier can be reused without a change. They are fine at
    first, where chats share a short system prompt; the last token stands alone, so that a repeated
    prompt costs one token.

    Examples
    --------
    >>> prompt_ends(100)
    [8, 16, 24, 64, 99, 100]
    """
    fine = range(_FINE_BLOCK, _FINE_UNTIL + 1, _FINE_BLOCK)
    ends = [end for end in fine if end < count - 1]
    ends += range(PROMPT_BLOCK, count - 1, PROMPT_BLOCK)
    if count > 1:
        ends.append(count - 1)
    return [*ends, count]


def _import_quietly() -> Any:
    import llama_cpp

    printer = logging.getLogger("llama-cpp-python")
    # Left unset, that package prints every line of llama.cpp's log to stderr.
    if printer.level == logging.NOTSET:
        printer.setLevel(_SILENT)
    return llama_cpp


class LlamaCppContext:
    """A loaded model: tokenize, evaluate, sample. Not thread-safe.

    Raises
    ------
    ModelMissing
        If llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, options: EngineOptions) -> None:
        self.api = _import_quietly()
        self._model: Any = None
        self._context: Any = None
        self._held: list[int] = []
        self._ends: list[int] = []
        self.api.llama_backend_init()
        self._model = self.api.llama_model_load_from_file(
            str(path).encode(), self.api.llama_model_default_params()
        )
        if not self._model:
            raise ModelMissing(f"llama.cpp cannot load {path}; is it a whole GGUF model file?")
        self._vocab = self.api.llama_model_get_vocab(self._model)
        self._context = self.api.llama_init_from_model(self._model, self._settings(options))
        if not self._context:
            self.close()
            raise ModelMissing(
                f"llama.cpp cannot make a context of {options.context_tokens} tokens for {path}; "
                "lower context_tokens"
            )
        self.context_tokens = int(self.api.llama_n_ctx(self._context))
        self.trained_tokens = int(self.api.llama_model_n_ctx_train(self._model))

    def _settings(self, options: EngineOptions) -> Any:
        trained = int(self.api.llama_model_n_ctx_train(self._model))
        settings = self.api.llama_context_default_params()
        settings.n_ctx = min(options.context_tokens, trained or options.context_tokens)
        settings.n_batch = settings.n_ubatch = PROMPT_BLOCK
        settings.n_threads = settings.n_threads_batch = options.threads or 1
        settings.no_perf = True
        return settings

    def chat_template(self) -> str | None:
        """The Jinja template inside the model file, if it has one."""
        held = self.api.llama_model_chat_template(self._model, None)
        return held.decode("utf-8", "replace") if held else None

    def special_texts(self) -> tuple[str, str]:
        """The texts of the begin and end tokens, empty where the model has none."""
        first = self.api.llama_vocab_bos(self._vocab)
        last = self.api.llama_vocab_eos(self._vocab)
        return self._vocab_text(first), self._vocab_text(last)

    def _vocab_text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self.api.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace"))

    def tokenize(self, prompt: str) -> list[int]:
        """Token ids of a rendered prompt; special tokens in it are recognised.

        The begin token is added where the model wants one and the template did not write it.
        """
        text = prompt.encode()
        begin = self.special_texts()[0].encode()
        add = not (begin and text.startswith(begin))
        room = len(text) + 2
        tokens = (self.api.llama_token * room)()
        count = self.api.llama_tokenize(self._vocab, text, len(text), tokens, room, add, True)
        if count < 0:
            raise ArmError(f"llama.cpp could not tokenize a prompt of {len(text)} bytes")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes one token stands for; special tokens are empty."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            used = self.api.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
            if used >= 0:
                return buffer.raw[:used]
            size = -used

    def is_end(self, token: int) -> bool:
        """Whether the token ends the model's turn."""
        return bool(self.api.llama_vocab_is_eog(self._vocab, token))

    def evaluate_prompt(self, tokens: Sequence[int], *, repeatable: bool) -> Iterator[int]:
        """Evaluate the prompt piece by piece, yielding how many tokens are done after each.

        Stopping early leaves a usable context: what was evaluated is reused next time. Where
        ``repeatable`` is set, only pieces computed exactly as they would be now are reused.
        """
        ends = prompt_ends(len(tokens))
        done = self._reuse(tokens, ends, repeatable=repeatable)
        if not repeatable:
            ends = [*range(done + PROMPT_BLOCK, len(tokens), PROMPT_BLOCK), len(tokens)]
        for end in ends:
            if end <= done:
                continue
            self.decode(tokens[done:end])
            if repeatable:
                self._ends.append(end)
            done = end
            yield done

    def _reuse(self, tokens: Sequence[int], ends: Sequence[int], *, repeatable: bool) -> int:
        """Keep what this prompt shares with the context, drop the rest; how much was kept."""
        shared = _common_length(self._held, tokens[:-1])
        same = _common_length(self._ends, ends)
        self._ends = [end for end in self._ends[:same] if end <= shared]
        if repeatable:
            shared = self._ends[-1] if self._ends else 0
        memory = self.api.llama_get_memory(self._context)
        if not self.api.llama_memory_seq_rm(memory, 0, shared, -1):
            self._forget()
            return 0
        del self._held[shared:]
        return shared

    def _forget(self) -> None:
        self._held.clear()
        self._ends.clear()
        self.api.llama_memory_clear(self.api.llama_get_memory(self._context), True)

    def decode(self, tokens: Sequence[int]) -> None:
        """Evaluate tokens after those already in the context. Raises ArmError."""
        held = (self.api.llama_token * len(tokens))(*tokens)
        code = self.api.llama_decode(self._context, self.api.llama_batch_get_one(held, len(tokens)))
        if code != 0:
            self._forget()
            raise ArmError(f"llama.cpp could not evaluate {len(tokens)} tokens (code {code})")
        self._held.extend(tokens)

    def sampler(self, sampling: Sampling, grammar: str | None) -> Any:
        """A sampler chain; free it with ``free_sampler``. Raises ArmError for a bad grammar."""
        api = self.api
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        for link in self._links(sampling, grammar):
            if not link:
                api.llama_sampler_free(chain)
                raise ArmError("llama.cpp refused the grammar made of response_format")
            api.llama_sampler_chain_add(chain, link)
        return chain

    def _links(self, sampling: Sampling, grammar: str | None) -> Iterator[Any]:
        api = self.api
        if grammar is not None:
            yield api.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        if sampling.presence_penalty or sampling.frequency_penalty:
            yield api.llama_sampler_init_penalties(
                api.llama_vocab_n_tokens(self._vocab),
                self.context_tokens,
                1.0,
                sampling.frequency_penalty,
                sampling.presence_penalty,
            )
        if sampling.temperature <= 0:
            yield api.llama_sampler_init_greedy()
            return
        yield api.llama_sampler_init_top_k(sampling.top_k)
        yield api.llama_sampler_init_top_p(sampling.top_p, 1)
        yield api.llama_sampler_init_min_p(sampling.min_p, 1)
        yield api.llama_sampler_init_temp(sampling.temperature)
        yield api.llama_sampler_init_dist(sampling.seed)

    def sample(self, chain: Any) -> int:
        """The next token, from the logits of the last one evaluated."""
        return int(self.api.llama_sampler_sample(chain, self._context, -1))

    def free_sampler(self, chain: Any) -> None:
        """Free what ``sampler`` made."""
        self.api.llama_sampler_free(chain)

    def close(self) -> None:
        """Free context and model; safe to call twice."""
        context, self._context = self._context, None
        model, self._model = self._model, None
        if context:
            self.api.llama_free(context)
        if model:
            self.api.llama_model_free(model)


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many leading entries are equal."""
    pairs = zip(first, second, strict=False)
    return next(
        (place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second))
    )
