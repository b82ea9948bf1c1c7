"""The endpoints beside chat: models, health, the dial, its curve, what was answered."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hybridroute._version import __version__
from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import DataError
from hybridroute.server.answers import bytes_answer, json_answer
from hybridroute.server.api_errors import ApiError
from hybridroute.server.chat_body import MODEL, SETTINGS, chat_body, setting_in
from hybridroute.server.controller_view import controller_body
from hybridroute.server.curve_view import curve_body
from hybridroute.server.json_body import json_object, read_body
from hybridroute.server.live import Live
from hybridroute.server.metrics import CONTENT_TYPE, Metrics
from hybridroute.server.only_arm import expectation_body, only_arm
from hybridroute.server.options import ServerOptions
from hybridroute.server.stats import Stats
from hybridroute.server.wire import decision_body, decision_headers


class Control:
    """Small endpoints over what the server holds."""

    def __init__(
        self, live: Live, options: ServerOptions, *, stats: Stats, metrics: Metrics
    ) -> None:
        self._live = live
        self._options = options
        self._stats = stats
        self._metrics = metrics
        self._curve: tuple[object, dict[str, Any]] | None = None

    async def health(self, request: Request) -> Response:  # noqa: ARG002 (Starlette's arguments)
        """Whether the process answers at all."""
        return json_answer({"status": "ok", "version": __version__})

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        """200 once models are loaded and an arm can answer, else 503; what is missing either way.

        What is missing is told to those alone who may ask for more.
        """
        live = self._live
        body = {"status": "ready" if live.ready else "not ready", "missing": list(live.missing)}
        if self._options.key is not None:
            del body["missing"]
        return json_answer(body, status=200 if live.ready else 503)

    async def models(self, request: Request) -> Response:  # noqa: ARG002
        """The one model that may be asked for."""
        return json_answer({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        """One of the models."""
        if request.path_params["name"] != MODEL:
            raise ApiError(
                404,
                f"The model does not exist here; ask for {MODEL!r}",
                code="model_not_found",
                param="model",
            )
        return json_answer(self._model())

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002
        """Prometheus' text format."""
        self._metrics.look_at(self._live.serving.client)
        return bytes_answer(self._metrics.text(), media_type=CONTENT_TYPE)

    async def info(self, request: Request) -> Response:  # noqa: ARG002
        """What is configured, what is missing, and how the last reload went."""
        serving, reload = self._live.serving, self._live.last_reload
        manifest = serving.client.bundle.manifest
        promise = serving.client.expect().promise
        held = manifest.promises if serving.client.calibrated else None
        return json_answer(
            {
                "version": __version__,
                "ready": self._live.ready,
                "mode": serving.client.mode,
                "arms": [
                    {"name": arm.name, "model": arm.model, "place": arm.place}
                    for arm in serving.client.arms
                ],
                "missing": list(self._live.missing),
                "promise": None if promise is None else promise.to_dict(),
                "promises": [] if held is None else plain(held.kept),
                "bundle": {
                    "name": manifest.name,
                    "score_kind": manifest.score_kind,
                    "calibrated_for": list(serving.client.bundle.model_names),
                },
                "reload": None if reload is None else plain(reload),
            }
        )

    async def stats(self, request: Request) -> Response:  # noqa: ARG002
        """Running counts and the last decisions."""
        return json_answer(self._stats.to_dict())

    async def route(self, request: Request) -> Response:
        """The Decision on a chat request; no model is asked."""
        asked = chat_body(
            await self._body(request),
            request.headers,
            max_answer_tokens=self._options.max_answer_tokens,
        )
        async with self._live.lease() as serving:
            decision = await serving.client.decide(
                asked.request, setting=asked.setting, mode=asked.mode, session=asked.session
            )
        return json_answer(
            {"object": "hybridroute.decision", "hybridroute": decision_body(decision)},
            headers=decision_headers(decision),
        )

    async def feedback(self, request: Request) -> Response:
        """Note how good an answer was: ``{"id": ..., "good": true}``, beside the decision log."""
        body = await self._body(request)
        if set(body) != {"id", "good"} or not isinstance(body["id"], str):
            raise ApiError(400, 'give {"id": "route-...", "good": true}, and nothing else')
        async with self._live.lease() as serving:
            try:
                await serving.client.feedback(body["id"], body["good"])
            except DataError as exc:
                raise ApiError(400, str(exc)) from exc
        return json_answer({"object": "hybridroute.feedback", "id": body["id"]})

    async def get_dial(self, request: Request) -> Response:  # noqa: ARG002
        """The setting in force and what it is expected to do."""
        return self._dial()

    async def put_dial(self, request: Request) -> Response:
        """Put a setting in force: ``{"dial": 0.8}``, or one of the other forms."""
        body = await self._body(request)
        unknown = [name for name in body if name not in SETTINGS]
        setting = None if unknown else setting_in(body)
        if setting is None:
            said = f"unknown: {unknown[0][:80]}" if unknown else "it gives none"
            raise ApiError(
                400,
                f"give one of {', '.join(SETTINGS)}; {said}",
                param=unknown[0][:80] if unknown else "dial",
            )
        self._live.turn(setting, cause="PUT", if_tag=request.headers.get("if-match"))
        return self._dial()

    async def curve(self, request: Request) -> Response:  # noqa: ARG002
        """What every position of the dial is expected to cost and to lose."""
        serving = self._live.serving
        if self._curve is None or self._curve[0] is not serving.client:
            self._curve = (serving.client, curve_body(serving))
        return json_answer(self._curve[1])

    async def _body(self, request: Request) -> dict[str, Any]:
        options = self._options
        body = await read_body(
            request.receive,
            request.headers,
            limit=options.max_body_bytes,
            timeout_s=options.body_timeout_s,
        )
        return json_object(body, request.headers)

    def _dial(self) -> Response:
        serving = self._live.serving
        client, only = serving.client, only_arm(serving)
        expectation = expectation_body(client.expect(), only)
        body = {
            "object": "hybridroute.dial",
            "setting": expectation["setting"],
            "dial": client.setting.dial,
            "threshold": client.threshold,
            "calibrated": client.calibrated,
            "only_arm": plain(only),
            "expectation": expectation,
            "controller": controller_body(client.controller),
        }
        return json_answer(body, headers={"etag": self._live.tag})

    def _model(self) -> dict[str, Any]:
        arms = [{"name": name, "model": model} for name, model in self._live.serving.models]
        return {
            "id": MODEL,
            "object": "model",
            "created": 0,
            "owned_by": "hybridroute",
            "hybridroute": {"arms": arms},
        }
