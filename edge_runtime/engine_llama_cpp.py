"""The llama-cpp-python engine."""

from __future__ import annotations

import codecs
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.clean_text import clean_text
from hybridroute.edge_runtime.errors import ArmRefused, ConfigError
from hybridroute.edge_runtime.llama_cpp_context import LlamaCppContext
from hybridroute.edge_runtime.open_calls import OpenCalls
from hybridroute.edge_runtime.prompt_text import clean_messages, context_overflow
from hybridroute.edge_runtime.protocols import EngineOptions, Finish
from hybridroute.edge_runtime.sampling import sampling_of
from hybridroute.edge_runtime.stop_strings import StopFilter

_BAD_REQUEST = 400
# What llama.cpp itself falls back to for a model file without a template (ChatML).
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class LlamaCppEngine:
    """A GGUF model in this process, one answer at a time.

    Raises
    ------
    ModelMissing
        If llama.cpp cannot load the file.
    ConfigError
        If ``options.chat_template`` is not a Jinja template.
    """

    engine_name = "llama-cpp-python"
    parallel = 1

    def __init__(self, path: Path, options: EngineOptions) -> None:
        self._calls = OpenCalls()
        self._generating = threading.Lock()
        self._context = LlamaCppContext(path, options)
        try:
            self._template = self._compile(options.chat_template)
        except Exception as exc:
            self.close()
            raise ConfigError(f"the chat template of {path.name} cannot be read: {exc}") from exc

    def _compile(self, chosen: str | None) -> Any:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        begin, end = self._context.special_texts()
        template = chosen or self._context.chat_template() or _CHATML
        return Jinja2ChatFormatter(template=template, bos_token=begin, eos_token=end)

    @property
    def context_tokens(self) -> int:
        """The context window, in tokens; llama.cpp rounds it up to a multiple of 256."""
        return self._context.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact prompt length in tokens, chat template included."""
        # Reads only the vocabulary, so it need not wait for a running answer.
        with self._calls.one():
            return len(self._prompt(messages))

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        try:
            prompt = self._template(messages=clean_messages(messages)).prompt
        except Exception as exc:
            # A template may raise anything, and its error may quote the messages.
            raise ArmRefused(
                "the model's chat template refuses these messages "
                f"({type(exc).__name__}); check the order of their roles"
            ) from None
        return self._context.tokenize(prompt)

    def generate(self, request: ChatRequest, on_text: Callable[[str], bool]) -> Finish:
        """Generate one answer. Raises ContextOverflow, ArmRefused, ArmError, RequestError."""
        grammar, sampling = _grammar(request.response_format), sampling_of(request)
        with self._calls.one(), self._generating:
            prompt = self._prompt(request.messages)
            room = self.context_tokens - len(prompt)
            if room < 1:
                raise context_overflow(
                    prompt_tokens=len(prompt), context_tokens=self.context_tokens
                )
            for _done in self._context.evaluate_prompt(prompt, repeatable=sampling.repeatable):
                if on_text(""):
                    return Finish(
                        reason="cancelled", prompt_tokens=len(prompt), completion_tokens=0
                    )
            chain = self._context.sampler(sampling, grammar)
            try:
                limit = min(room, request.max_tokens or room)
                reason, count = self._answer(chain, limit, request.stop, on_text)
            finally:
                self._context.free_sampler(chain)
            return Finish(reason=reason, prompt_tokens=len(prompt), completion_tokens=count)

    def _answer(
        self, chain: Any, limit: int, stops: Sequence[str], on_text: Callable[[str], bool]
    ) -> tuple[Literal["stop", "length", "cancelled"], int]:
        """Sample up to ``limit`` tokens; how it ended and how many there were."""
        utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        stop = StopFilter([clean_text(text) for text in stops])
        reason: Literal["stop", "length", "cancelled"] = "length"
        for count in range(1, limit + 1):
            token = self._context.sample(chain)
            if self._context.is_end(token):
                reason = "stop"
                break
            cancelled = on_text(stop.feed(utf8.decode(self._context.piece(token))))
            if stop.stopped or cancelled:
                return "stop" if stop.stopped else "cancelled", count
            if count < limit:
                self._context.decode([token])
        rest = stop.feed(utf8.decode(b"", final=True)) + stop.finish()
        if rest:
            on_text(rest)
        return reason, count

    def close(self) -> None:
        """Free the model; safe to call twice. Waits for a running answer."""
        self._calls.close(self._context.close)


def _grammar(response_format: Mapping[str, Any] | None) -> str | None:
    """The GBNF grammar of a JSON ``response_format``, or None for plain text."""
    kind = (response_format or {}).get("type", "text")
    if response_format is None or kind == "text":
        return None
    from llama_cpp.llama_grammar import JSON_GBNF, json_schema_to_gbnf

    if kind == "json_object":
        return str(JSON_GBNF)
    named = response_format.get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if kind != "json_schema" or not isinstance(schema, Mapping):
        raise ArmRefused(
            f"response_format is of type {kind!r}; this engine takes text, json_object, or "
            "json_schema with a schema",
            status=_BAD_REQUEST,
            param="response_format",
        )
    try:
        return str(json_schema_to_gbnf(json.dumps(schema)))
    except Exception as exc:
        # Without a status: it may be a schema that another arm can use, such as an open pattern.
        raise ArmRefused(
            f"response_format holds a JSON schema llama.cpp cannot use: {exc}",
            param="response_format",
        ) from exc
