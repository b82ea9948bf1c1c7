"""Servers to measure against: an upstream that answers at once, and one of RouteLLM's shape.

``python -m benchmarks.loopback upstream`` and ``... blocking URL`` print their address and serve
until their standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

CHUNKS = 200
_USAGE = {"prompt_tokens": 5, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 5}


def _chunk(text: str | None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "created": 1, "model": "big", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "
_STREAM = (
    _HEAD
    + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"".join(_framed(_chunk(f"{at} ")) for at in range(CHUNKS))
    + _framed(_chunk(None, "stop") + b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)
_MESSAGE = {"role": "assistant", "content": "yes"}
_BODY = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "big",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
).encode()
_WHOLE = _HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Headers and body of one HTTP message with a length or in chunks."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        pieces = []
        while size := int(await reader.readline(), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        return head, b"".join(pieces)
    length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
    return head, await reader.readexactly(int(length or b"0"))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            _, body = await read_message(reader)
            writer.write(_STREAM if b'"stream":true' in body else _WHOLE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _upstream() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    _say(server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _blocking(upstream: str) -> None:
    """An ``async def`` endpoint that calls the router without awaiting, then the upstream."""
    import socket
    import threading

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path

    scorer = Bundle.load(default_bundle_path()).scorer(threads=2)
    host, port = upstream.removeprefix("http://").split(":")
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def chat(request: Request) -> Response:
        body = await request.body()
        scorer.assess(json.loads(body)["messages"][-1]["content"])
        line = idle.pop() if idle else await asyncio.open_connection(host, int(port))
        line[1].write(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        _, answer = await read_message(line[0])
        idle.append(line)
        return Response(answer, media_type="application/json")

    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    _say(listener.getsockname()[1])
    sys.stdin.read()


def _say(port: int) -> None:
    print(json.dumps({"url": f"http://127.0.0.1:{port}", "pid": os.getpid()}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "upstream":
        asyncio.run(_upstream())
    else:
        _blocking(sys.argv[2])
