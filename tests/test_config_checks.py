"""``hybridroute config``: what it finds, and that the published schema says what the code takes."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_run import run

from hybridroute.cli.config import schema_text
from hybridroute.cli.config_checks import ConfigReport, examine_config
from hybridroute.settings_file import type_of
from hybridroute.settings_sections import SECTIONS

SCHEMA: dict[str, Any] = json.loads(schema_text())
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
GOOD = """\
[router]
dial = 0.7
[edge]
model = "smollm2-135m"
[cloud]
model = "gpt-4o"
price_in_usd_per_million = 2.5
price_out_usd_per_million = 10
[server]
port = 0
[controller]
usd_per_hour = 2
lowest = 0.2
"""


def _examined(folder: Path, text: str, **variables: str) -> ConfigReport:
    file = folder / "hybridroute.toml"
    file.write_text(text, encoding="utf-8")
    return examine_config(file, variables)


def test_a_good_file_is_fine_and_fits_the_schema(tmp_path: Path) -> None:
    import tomllib

    report = _examined(tmp_path, GOOD)
    assert report.problems == ()
    jsonschema.validate(tomllib.loads(GOOD), SCHEMA)


def test_every_problem_has_its_place_and_a_way_out(tmp_path: Path) -> None:
    text = (
        "[router]\ndial = 7\nmode = 'sideways'\nthreads = 0\n[edge]\nengine = 'steam'\n"
        "[cloud]\nmodell = 'm'\nmodel = 'm'\nbase_url = 'ftp://x'\n[server]\nport = 70000\n"
        "[controller]\nusd_per_hour = 2\n"
    )
    found = {one.key: one for one in _examined(tmp_path, text).problems}
    lines = {key: one.line for key, one in found.items()}
    assert lines == {
        "cloud.modell": 8,
        "router.dial": 2,
        "router.mode": 3,
        "router.threads": 4,
        "edge.engine": 6,
        "cloud.base_url": 10,
        "server.port": 12,
        "controller.usd_per_hour": 14,
    }
    assert found["router.threads"].message.startswith("router.threads is 0; give")
    assert found["cloud.base_url"].where.endswith("hybridroute.toml:10")


def test_a_variable_is_named_where_it_counts(tmp_path: Path) -> None:
    report = _examined(tmp_path, GOOD, HYBRIDROUTE_ROUTER_DIAL="9", HYBRIDROUTE_DAIL="1")
    (problem,) = report.problems
    assert (problem.where, problem.key, problem.line) == (
        "HYBRIDROUTE_ROUTER_DIAL",
        "router.dial",
        None,
    )
    assert report.warnings == ("the variable HYBRIDROUTE_DAIL sets nothing",)
    (problem,) = _examined(tmp_path, GOOD, HYBRIDROUTE_ROUTER_DIAL="x").problems
    assert "HYBRIDROUTE_ROUTER_DIAL is 'x'" in problem.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[router]\ndial = 0.5\nthreshold = 0.5\n", "not dial and threshold"),
        ("[router]\nbundle = 'nowhere'\n", "nowhere"),
        ("[cloud]\nbase_url = 'https://host.example/v1'\nmodel = 'm'\n", "no key is named"),
        ("[server]\nhost = '0.0.0.0'\n", "there is no key"),
        ("[controller]\nlowest = 0.1\n", "none is given"),
        ("[controller]\np95_ms = 9\ncloud_share = 0.5\n", "one target"),
    ],
)
def test_what_only_shows_together(tmp_path: Path, text: str, said: str) -> None:
    assert said in " ".join(one.message for one in _examined(tmp_path, text).problems)


def test_the_schema_has_every_setting_and_no_other() -> None:
    assert list(SCHEMA["properties"]) == list(SECTIONS)
    for name, kind in SECTIONS.items():
        held = SCHEMA["properties"][name]
        assert held["additionalProperties"] is False
        assert list(held["properties"]) == [item.name for item in fields(kind)]
        for item in fields(kind):
            said = held["properties"][item.name]
            assert said["type"] == TYPES[type_of(kind, item.name)], item.name
            assert said.get("default") == item.default, item.name
            assert said["description"].endswith("."), item.name


def _beyond(said: dict[str, Any]) -> list[Any]:
    """Values that the schema refuses, as near to what it takes as they come."""
    step = 1 if said["type"] == "integer" else 0.001
    values = [said["minimum"] - step] if "minimum" in said else []
    values += [said["maximum"] + step] if "maximum" in said else []
    values += [said[name] for name in ("exclusiveMinimum", "exclusiveMaximum") if name in said]
    return values + (["no-such-word"] if "enum" in said else [])


BOUNDED = [
    (section, key, said)
    for section, held in SCHEMA["properties"].items()
    for key, said in held["properties"].items()
    if _beyond(said)
]


@pytest.mark.parametrize(("section", "key", "said"), BOUNDED)
def test_the_code_has_the_schemas_bounds(
    tmp_path: Path, section: str, key: str, said: dict[str, Any]
) -> None:
    target = "cloud_requests" if key == "cloud_requests_window_s" else "cloud_share"
    is_target = key in ("usd_per_hour", "cloud_requests", "cloud_share", "p95_ms")

    def refused(value: Any) -> bool:
        prices = {"price_in_usd_per_million": 1.0, "price_out_usd_per_million": 1.0}
        held: dict[str, dict[str, Any]] = {section: {}, "cloud": {"model": "m", **prices}}
        if section == "controller" and not is_target:
            held[section] = {target: 0.5}
        held[section][key] = value
        lines = [
            "\n".join([f"[{name}]", *(f"{one} = {json.dumps(to)}" for one, to in values.items())])
            for name, values in held.items()
        ]
        return not _examined(tmp_path, "\n".join(lines)).ok

    assert all(refused(value) for value in _beyond(said))
    inside = [said[name] for name in ("minimum", "maximum") if name in said]
    # Where one setting leans on another, or on a bundle of a pool, nothing alone is inside.
    leans = ("confidence", "drop_kind", "cost_weight", "budget_usd")
    if section != "controller" and key not in leans:
        assert not any(refused(value) for value in [*inside, *said.get("enum", [])])


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "hybridroute.toml").write_text("[router]\ndial = 7\n", encoding="utf-8")
    bad = run("config", "check", cwd=tmp_path)
    assert bad.returncode == 1
    assert "hybridroute.toml:2: router.dial is 7" in bad.stdout
    (tmp_path / "good.toml").write_text(GOOD, encoding="utf-8")
    good = run("config", "check", "good.toml", "--json", cwd=tmp_path)
    assert (good.returncode, json.loads(good.stdout)["ok"]) == (0, True)
    absent = run("config", "check", "absent.toml", cwd=tmp_path)
    assert (absent.returncode, "absent.toml is not a file; give" in absent.stderr) == (1, True)
    assert json.loads(run("config", "schema", cwd=tmp_path).stdout) == SCHEMA
