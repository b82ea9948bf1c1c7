"""The xllamacpp engine: prebuilt wheels, several answers at the same time.

Its server always opens a listener. Here that is a unix socket in a folder only this user can
enter, with a key drawn at random and without the web page; no TCP port is opened.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.clean_text import clean_text
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmUnavailable,
    ConfigError,
    ModelMissing,
)
from hybridroute.edge_runtime.open_calls import OpenCalls
from hybridroute.edge_runtime.prompt_text import clean_messages, context_overflow
from hybridroute.edge_runtime.protocols import EngineOptions, Finish
from hybridroute.edge_runtime.sampling import sampling_of
from hybridroute.edge_runtime.stop_strings import StopFilter

# sun_path holds 104 bytes on macOS and 108 on Linux, the closing NUL included.
_SOCKET_PATH_LIMIT = 103
_COUNT_SECONDS = 60.0
_BAD_REQUEST = 400


class XllamacppEngine:
    """A GGUF model in this process, ``options.parallel`` answers at a time.

    Raises
    ------
    ModelMissing
        If llama.cpp cannot load the file.
    ConfigError
        If this platform has no unix sockets, or ``options.chat_template`` cannot be used.
    """

    engine_name = "xllamacpp"

    def __init__(self, path: Path, options: EngineOptions) -> None:
        self.parallel = options.parallel
        self._reuse_prompt = options.reuse_prompt
        self._calls = OpenCalls()
        self._key = secrets.token_urlsafe(32)
        self._folder = _socket_folder()
        self._socket = str(Path(self._folder.name) / "s.sock")
        self._server: Any = None
        try:
            self._server = _start(path, options, socket_path=self._socket, key=self._key)
            settings = self._call("GET", "/props")["default_generation_settings"]
            self.context_tokens = int(settings["n_ctx"])
        except BaseException:
            self.close()
            raise

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact prompt length in tokens, chat template included."""
        body = {"messages": clean_messages(messages)}
        with self._calls.one():
            held = self._call("POST", "/v1/chat/completions/input_tokens", body)
            _raise_for_error(held)
            return int(held["input_tokens"])

    def generate(self, request: ChatRequest, on_text: Callable[[str], bool]) -> Finish:
        """Generate one answer. Raises ContextOverflow, ArmRefused, ArmError, RequestError."""
        answer = _Answer(request, on_text)
        body = _body(request, self.context_tokens, reuse_prompt=self._reuse_prompt)
        with self._calls.one():
            try:
                self._server.handle_chat_completions(body, answer.take)
            except Exception as exc:
                raise _failure(request, exc) from exc
        return answer.finish()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call over the unix socket, for what the in-process functions do not offer."""
        connection = _UnixConnection(self._socket)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={
                    "Authorization": f"Bearer {self._key}",
                    "Content-Type": "application/json",
                },
            )
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise ArmUnavailable(f"the engine did not answer {path} ({exc})") from exc
        finally:
            connection.close()

    def close(self) -> None:
        """Free the model; safe to call twice. Waits for running answers."""
        self._calls.close(self._free)

    def _free(self) -> None:
        # Dropping the last reference stops the server and joins its threads.
        self._server = None
        self._folder.cleanup()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_COUNT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Answer:
    """Takes the server's chunks. Its exceptions are kept: xllamacpp swallows a callback's."""

    def __init__(self, request: ChatRequest, on_text: Callable[[str], bool]) -> None:
        self._on_text = on_text
        self._stop = StopFilter([clean_text(text) for text in request.stop])
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._reason: str | None = None
        self._cancelled = False
        self._failure: BaseException | None = None

    def take(self, chunk: Mapping[str, Any]) -> bool:
        """Take one chunk; True cancels."""
        if self._failure is not None or self._cancelled:
            return True
        try:
            self._read(chunk)
        except BaseException as exc:
            self._failure = exc
        return self._failure is not None or self._cancelled

    def _read(self, chunk: Mapping[str, Any]) -> None:
        _raise_for_error(chunk)
        timings = chunk.get("timings") or {}
        if "predicted_n" in timings:
            self._completion_tokens = int(timings["predicted_n"])
            self._prompt_tokens = int(timings["prompt_n"]) + int(timings["cache_n"])
        if progress := chunk.get("prompt_progress"):
            self._prompt_tokens = int(progress["total"])
        if usage := chunk.get("usage"):
            self._completion_tokens = int(usage["completion_tokens"])
            self._prompt_tokens = int(usage["prompt_tokens"])
        text = ""
        for choice in chunk.get("choices") or ():
            self._reason = choice.get("finish_reason") or self._reason
            text += (choice.get("delta") or {}).get("content") or ""
        if self._reason is None or text:
            self._cancelled = bool(self._on_text(self._stop.feed(text)))

    def finish(self) -> Finish:
        """How it ended; raises what was raised while it ran."""
        if self._failure is not None:
            raise self._failure
        if self._reason is None and not self._cancelled:
            raise ArmError("llama.cpp ended the answer without saying why; try again")
        rest = self._stop.finish()
        if rest and not self._cancelled:
            self._on_text(rest)
        ended: Literal["stop", "length"] = "length" if self._reason == "length" else "stop"
        return Finish(
            reason="cancelled" if self._cancelled else ended,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
        )


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError(
            "xllamacpp would have to listen on TCP on this platform; install llama-cpp-python: "
            "pip install 'hybridroute[llama]'"
        )
    folder = _private_folder(None)
    if len(os.fsencode(folder.name)) + len("/s.sock") > _SOCKET_PATH_LIMIT:
        folder.cleanup()
        folder = _private_folder("/tmp")  # noqa: S108 (a new folder, 0700)
    return folder


def _private_folder(parent: str | None) -> tempfile.TemporaryDirectory[str]:
    """A folder of mode 0700 that is removed when the engine is, or when the program ends."""
    return tempfile.TemporaryDirectory(
        prefix="hybridroute-", dir=parent, ignore_cleanup_errors=True
    )


def _start(path: Path, options: EngineOptions, *, socket_path: str, key: str) -> Any:
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_parallel = options.parallel
    settings.n_ctx = options.context_tokens * options.parallel
    settings.cpuparams.n_threads = options.threads or 1
    settings.cpuparams_batch.n_threads = options.threads or 1
    settings.n_batch = 256
    # Its default keeps up to 8 GiB of earlier prompts' states beside the slots.
    settings.cache_ram_mib = 0
    settings.chat_template = options.chat_template or ""
    settings.hostnames = [socket_path]
    settings.api_keys = [key]
    settings.ui = False
    settings.cors_origins = ""
    settings.endpoint_slots = False
    settings.n_threads_http = 2
    settings.fit_params = False
    settings.warmup = False
    settings.verbosity = -1
    try:
        return xllamacpp.Server(settings)
    except Exception as exc:
        if options.chat_template is not None:
            raise ConfigError(
                f"llama.cpp cannot start {path} with this chat_template; check that it is a Jinja "
                "template that takes a system, a user and an assistant message"
            ) from exc
        raise ModelMissing(
            f"llama.cpp cannot load {path} ({exc}); is it a whole GGUF model file?"
        ) from exc


def _failure(request: ChatRequest, error: Exception) -> ArmError:
    """The error of an answer that was not begun. A schema is refused where it is made a grammar."""
    _, is_schema, what = str(error).partition("JSON schema error ")
    if request.wants_json and is_schema:
        # Without a status: it may be a schema that another arm can use.
        text = f"response_format holds a JSON schema llama.cpp cannot use: {what}"
        return ArmRefused(text, param="response_format")
    return ArmError(f"llama.cpp failed while answering ({type(error).__name__})")


def _check_format(held: Mapping[str, Any]) -> None:
    """llama.cpp would answer in plain text to what it does not know."""
    kind, named = held.get("type", "text"), held.get("json_schema")
    has_schema = isinstance(named, Mapping) and isinstance(named.get("schema"), Mapping)
    if kind not in ("text", "json_object") and not (kind == "json_schema" and has_schema):
        wanted = "this engine takes text, json_object, or json_schema with a schema"
        text = f"response_format is of type {kind!r}; {wanted}"
        raise ArmRefused(text, status=_BAD_REQUEST, param="response_format")


def _body(request: ChatRequest, context_tokens: int, *, reuse_prompt: bool) -> dict[str, Any]:
    sampling = sampling_of(request)
    if request.response_format is not None:
        _check_format(request.response_format)
    body: dict[str, Any] = {
        "messages": clean_messages(request.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "timings_per_token": True,
        "return_progress": True,
        "max_tokens": -1 if request.max_tokens is None else request.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repeat_last_n": context_tokens,
        # A reused prompt is computed in other pieces, which can change the last bits.
        "cache_prompt": reuse_prompt or not sampling.repeatable,
    }
    if request.stop:
        body["stop"] = [clean_text(text) for text in request.stop]
    if request.wants_json:
        body["response_format"] = dict(request.response_format or {})
    return body


def _raise_for_error(held: Mapping[str, Any]) -> None:
    error = held.get("error")
    if not isinstance(error, Mapping):
        return
    if error.get("type") == "exceed_context_size_error":
        raise context_overflow(
            prompt_tokens=int(error["n_prompt_tokens"]), context_tokens=int(error["n_ctx"])
        )
    code = error.get("code")
    kind = ArmRefused if isinstance(code, int) and 400 <= code < 500 else ArmError
    # The server's own message is left out: it may quote the prompt.
    raise kind(
        f"llama.cpp refused the request ({code}, {error.get('type')}); check the order of the "
        "messages' roles and response_format"
    )
