"""``hybridroute dial``: read or turn the dial of a server on this machine."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli import options
from hybridroute.cli.expected_words import expected_line
from hybridroute.cli.output import print_json, printable
from hybridroute.cli.ranges import within
from hybridroute.cli.usage import check_one, check_promise_words, flag_of
from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError

if TYPE_CHECKING:
    from hybridroute.setting import Setting

_TIMEOUT_S = 10.0


def dial(
    value: Annotated[
        float | None,
        typer.Argument(help="The dial, 0 to 1; left out, it is only read.", callback=within(0, 1)),
    ] = None,
    *,
    threshold: options.Threshold = None,
    cost_advantage: options.CostAdvantage = None,
    cost_weight: options.CostWeight = None,
    budget_usd: options.BudgetUsd = None,
    max_drop: options.MaxDrop = None,
    confidence: options.Confidence = None,
    drop_kind: options.DropKind = None,
    port: options.Port = None,
    key_env: options.KeyEnv = None,
    json: options.Json = False,
) -> None:
    """Turn the dial of the running server, without a restart; with no value, read it."""
    from hybridroute.cli.assemble import setting_said
    from hybridroute.cli.serve import server_key
    from hybridroute.server.options import DEFAULT_PORT
    from hybridroute.settings import AMOUNTS, load_settings
    from hybridroute.settings_sections import RouterSettings

    kind = None if drop_kind is None else drop_kind.value
    asked = RouterSettings(
        dial=value,
        threshold=threshold,
        cost_advantage=cost_advantage,
        cost_weight=cost_weight,
        budget_usd=budget_usd,
        max_drop=max_drop,
        confidence=confidence,
        drop_kind=kind,
    )
    options_given = {flag_of(name): getattr(asked, name) for name in AMOUNTS if name != "dial"}
    check_one({"VALUE": value, **options_given})
    check_promise_words({"confidence": confidence, "drop_kind": drop_kind}, max_drop)
    flags = {"server": {"port": port, "key_env": key_env}}
    server = load_settings(flags, environ=os.environ, folder=Path.cwd()).server
    url = f"http://127.0.0.1:{server.port or DEFAULT_PORT}/v1/hybridroute/dial"
    body = _asked(url, setting_said(asked), server_key(server.key_env))
    if json:
        print_json(body)
    else:
        typer.echo(printable(_sentence(body)))


def _asked(url: str, setting: Setting | None, key: str | None) -> dict[str, Any]:
    import requests

    method = "GET" if setting is None else "PUT"
    body = None if setting is None else _said(setting)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor ~/.netrc has a say on this machine
    try:
        answer = session.request(method, url, json=body, headers=headers, timeout=_TIMEOUT_S)
        held = answer.json()
    except requests.ConnectionError as exc:
        raise ArmUnavailable(f"no server answers at {url}; start one: hybridroute serve") from exc
    except (requests.RequestException, ValueError) as exc:
        kind = type(exc).__name__
        raise ArmUnavailable(f"what answers at {url} is not a hybridroute server ({kind})") from exc
    finally:
        session.close()
    if not isinstance(held, dict) or (answer.ok and "expectation" not in held):
        raise ArmUnavailable(f"what answers at {url} is not a hybridroute server")
    if not answer.ok:
        error = held.get("error")
        said = error.get("message") if isinstance(error, dict) else None
        raise ConfigError(f"the server refused: {said or answer.status_code}")
    return held


def _said(setting: Setting) -> dict[str, Any]:
    asked = setting.promise
    if asked is None:
        return {setting.kind: setting.value}
    return {"promise": asdict(asked)}


def _sentence(body: dict[str, Any]) -> str:
    said, threshold = body["setting"], body["threshold"]
    setting = f"{said['kind'].replace('_', ' ')} {said['value']:g}"
    at = "" if threshold is None else f", threshold {threshold:.3f}"
    return f"{setting}{at}; {expected_line(body['expectation'])}"
