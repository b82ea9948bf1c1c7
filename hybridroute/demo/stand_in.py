"""The stand-in cloud's process: ``python -m hybridroute.demo.stand_in``.

It reads one JSON line from its standard input (:class:`Orders`), starts an OpenAI-compatible
server on 127.0.0.1, writes one JSON line ``{"address": ...}``, and ends when its standard input
does: however the parent ends, the pipe then closes, so that no orphan is left.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Any

from hybridroute.edge_runtime.errors import EngineMissing

MODEL = "gemma3-270m"
STOP = "\nQuestion:"
"""Where a base model, having answered, goes on to invent the next question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the parent tells the server; over a pipe, as a command line is for all to read.

    Parameters
    ----------
    path : str
        The GGUF file.
    server : {"xllamacpp", "llama_cpp.server"}
        Whose server runs.
    key : str
        The only key it takes.
    chat_template : str
        A Jinja template.
    threads, context_tokens : int
    """

    path: str
    server: str
    key: str
    chat_template: str
    threads: int = 1
    context_tokens: int = 1024

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def serve_xllamacpp(orders: Orders) -> tuple[Any, str]:
    """Start xllamacpp's server; it stops when the object is dropped. Returns it and its address."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = orders.path
    settings.model_alias = {MODEL}
    settings.chat_template = orders.chat_template
    settings.antiprompt = [STOP]
    settings.n_ctx = orders.context_tokens
    settings.n_parallel = 1
    settings.cpuparams.n_threads = orders.threads
    settings.cpuparams_batch.n_threads = orders.threads
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.api_keys = [orders.key]
    settings.ui = False
    settings.cors_origins = ""
    settings.endpoint_slots = False
    settings.n_threads_http = 2
    settings.fit_params = False
    settings.warmup = False
    settings.verbosity = -1
    server = xllamacpp.Server(settings)
    return server, str(server.listening_address)


def serve_llama_cpp(orders: Orders) -> tuple[Any, str]:
    """Start llama-cpp-python's server in a thread. Returns the server and its address."""
    import uvicorn
    from llama_cpp.llama_chat_format import (
        ChatFormatterResponse,
        Jinja2ChatFormatter,
        register_chat_format,
    )
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import ModelSettings, ServerSettings

    template = Jinja2ChatFormatter(orders.chat_template, eos_token="", bos_token="")

    def few_shot(*, messages: Any, **_: Any) -> Any:
        # Rendered text alone: the engine then puts its own opening token before it.
        return ChatFormatterResponse(prompt=template(messages=messages).prompt, stop=[STOP])

    register_chat_format("few-shot")(few_shot)
    app = create_app(
        # By default a second request would cut a running stream off.
        server_settings=ServerSettings(api_key=orders.key, interrupt_requests=False),
        model_settings=[
            ModelSettings(
                model=orders.path,
                model_alias=MODEL,
                chat_format="few-shot",
                n_ctx=orders.context_tokens,
                n_threads=orders.threads,
                n_threads_batch=orders.threads,
                verbose=False,
            )
        ],
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    # In a thread it leaves signals alone.
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    return server, f"http://127.0.0.1:{listener.getsockname()[1]}"


_SERVERS = {"xllamacpp": serve_xllamacpp, "llama_cpp.server": serve_llama_cpp}
_MODULES = {
    "xllamacpp": ("xllamacpp",),
    "llama_cpp.server": ("llama_cpp", "uvicorn", "fastapi", "sse_starlette", "starlette_context"),
}


def choose_server() -> str:
    """The first server that is installed. Imports none.

    Raises
    ------
    EngineMissing
        If there is none.
    """
    for name, modules in _MODULES.items():
        if all(importlib.util.find_spec(module) is not None for module in modules):
            return name
    raise EngineMissing(
        "the stand-in cloud needs a server: pip install 'hybridroute[prebuilt]' (a second), or "
        "'llama-cpp-python[server]' beside llama-cpp-python"
    )


def end_with_parent() -> None:
    """Wait for the end of standard input, then end this process at once."""
    try:
        while sys.stdin.buffer.read(4096):
            pass
    finally:
        os._exit(0)


def main() -> None:
    """Serve until standard input ends."""
    # Ctrl-C reaches the whole foreground group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.pop("CONFIG_FILE", None)  # llama_cpp.server would read it
    orders = Orders(**json.loads(sys.stdin.buffer.readline()))
    watcher = threading.Thread(target=end_with_parent, name="end-with-parent")
    watcher.start()
    try:
        server, address = _SERVERS[orders.server](orders)
    except BaseException as exc:
        sys.stderr.write(f"{type(exc).__name__}: {exc}\n")
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.write(json.dumps({"address": address}) + "\n")
    sys.stdout.flush()
    watcher.join()
    del server


if __name__ == "__main__":
    main()
