"""The decision log: every finished request, no text, no secret, and never a wait."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sdk_fakes import answer, bundle, cloud_arm, edge_arm, user

from hybridroute import ArmUnavailable, ConfigError, DataError, HybridClient
from hybridroute import decision_log as module
from hybridroute.answered import Answered
from hybridroute.decision_log import DecisionLog, write_label
from hybridroute.edge_runtime.chat import Usage
from hybridroute.edge_runtime.prices import Prices

SECRET = "sk-secret-0123456789"
PROMPT = f"0.05 hard, my password is {SECRET}"


def _client(**given: Any) -> HybridClient:
    cloud = cloud_arm(script=answer(f"you said {SECRET}"))
    cloud.prices = Prices(in_usd_per_million=1.0, out_usd_per_million=2.0)
    return HybridClient(bundle(), **{"edge": edge_arm(), "cloud": cloud, "threshold": 0.5, **given})


def _rows(path: Path) -> list[dict[str, Any]]:
    held = sqlite3.connect(path)
    held.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in held.execute("SELECT * FROM decisions ORDER BY at")]
    finally:
        held.close()


def test_every_finished_request_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with _client() as client:
        log = client.log_to(path)
        answered = client.chat.completions.create(messages=user(PROMPT))
        list(client.chat.completions.create(messages=user("0.9 easy"), stream=True))
        log.flush()
        assert len(_rows(path)) == 2, "written while the client runs"
    hard, easy = _rows(path)
    assert hard["id"] == answered.hybridroute.id
    assert (hard["arm"], hard["reason"], hard["score"]) == ("cloud", "score_below_threshold", 0.05)
    assert (easy["arm"], easy["streamed"], hard["streamed"]) == ("edge", 1, 0)
    assert hard["cost_usd"] > easy["cost_usd"] == 0.0
    assert json.loads(easy["costs"])["cloud"] == pytest.approx(easy["saved_usd"])
    assert easy["first_token_ms"] <= easy["total_ms"]
    assert log.dropped == 0


def test_no_prompt_answer_key_or_error_text_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    broken = edge_arm(fails=ArmUnavailable(f"refused {SECRET}", arm="edge"))
    with _client(edge=broken) as client:
        client.log_to(path)
        client.chat.completions.create(messages=user(PROMPT), session=SECRET)
        client.chat.completions.create(messages=user(f"0.9 {SECRET}"))
        list(client.chat.completions.create(messages=user(PROMPT), stream=True))
    assert [row["fallback_from"] for row in _rows(path)] == [None, "edge", None]
    assert _rows(path)[1]["left_out"] == '["edge"]'
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_prompts_are_kept_where_asked_for(tmp_path: Path) -> None:
    with _client() as client:
        client.log_to(tmp_path / "log.db", prompts=True)
        client.chat.completions.create(
            messages=[{"role": "system", "content": "be kind"}, *user("0.5 what?")]
        )
    assert [row["prompt"] for row in _rows(tmp_path / "log.db")] == ["0.5 what?"]


def test_a_slow_disk_makes_nobody_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is locked by someone else: answers go on, and what does not fit is counted."""
    path = tmp_path / "log.db"
    monkeypatch.setattr(module, "_WAITING", 4)
    monkeypatch.setattr(module, "_BATCH", 1)
    client = _client()
    log = client.log_to(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        client.chat.completions.create(messages=user("0.9 easy"))
    assert log.dropped >= 10
    other.execute("ROLLBACK")
    other.close()
    client.close()
    assert len(_rows(path)) + log.dropped == 20


def _answered() -> Answered:
    told: list[Answered] = []
    with _client() as client:
        client.listeners.add(told.append)
        client.chat.completions.create(messages=user("0.9 easy"))
    return told[0]


def _other(one: Answered, id: str, **changes: Any) -> Answered:
    return replace(one, decision=replace(one.decision, id=id, **changes))


def test_a_row_that_sqlite_cannot_hold_is_the_only_one_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Token counts above 64 bits, text that is no Unicode: the writer goes on, and says so."""
    path = tmp_path / "log.db"
    log = DecisionLog(path)
    good = _answered()
    counts = Usage(prompt_tokens=2**64, completion_tokens=1, total_tokens=1)
    for at in range(3):
        log.listen(_other(good, f"before-{at}"))
        log.listen(replace(_other(good, f"count-{at}"), usage=counts))
        log.listen(_other(good, f"text-{at}", model="\ud800"))
        log.listen(_other(good, f"kind-{at}", model=object()))
    log.flush()
    log.listen(_other(good, "after"))
    log.close()
    assert {row["id"] for row in _rows(path)} == {"before-0", "before-1", "before-2", "after"}
    assert log.dropped == 9
    assert "cannot hold" in caplog.text


def test_a_disk_that_fails_loses_what_was_to_be_written_then_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = DecisionLog(path)
    good = _answered()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("ALTER TABLE decisions RENAME TO away")
    log.listen(_other(good, "lost"))
    log.flush()
    other.execute("ALTER TABLE away RENAME TO decisions")
    other.close()
    log.listen(_other(good, "kept"))
    log.close()
    assert [row["id"] for row in _rows(path)] == ["kept"]
    assert log.dropped == 1


def test_requests_dropped_by_several_threads_are_all_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAITING", 1)
    path = tmp_path / "log.db"
    log = DecisionLog(path)
    good = _answered()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log.listen, (_other(good, str(at)) for at in range(400))))
    log.close()
    assert len(_rows(path)) + log.dropped == 400


def test_closing_writes_all_and_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    client = _client()
    log = client.log_to(path)
    for _ in range(50):
        client.chat.completions.create(messages=user("0.9 easy"))
    client.close()
    log.close()
    assert len(_rows(path)) == 50
    assert not [one for one in threading.enumerate() if one.name == "hybridroute-log"]


def test_a_log_that_is_dropped_writes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    client = _client()
    client.log_to(path)
    client.chat.completions.create(messages=user("0.9 easy"))
    del client
    ends = time.monotonic() + 10
    while not _rows(path):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_two_logs_may_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with _client() as one, _client() as two:
        for client in (one, two):
            client.log_to(path)
        for client in (one, two, one):
            client.chat.completions.create(messages=user("0.9 easy"))
    assert len(_rows(path)) == 3


def test_what_is_no_log_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "other.db"
    held = sqlite3.connect(foreign)
    held.execute("CREATE TABLE mine (a)")
    held.commit()
    held.close()
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and quite long enough to be looked at as one\n" * 20)
    for path in (foreign, text, tmp_path / "no" / "folder.db"):
        with pytest.raises(ConfigError):
            DecisionLog(path)
    assert text.read_text().startswith("not a database")


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with _client() as client:
        client.log_to(path)
        id = client.chat.completions.create(messages=user("0.9 easy")).hybridroute.id
    write_label(path, id=id, arm="edge", quality=0.5)
    write_label(path, id=id, arm="edge", quality=0.75)
    with pytest.raises(DataError, match="no decision 'x'"):
        write_label(path, id="x", arm="edge", quality=1.0)
    held = sqlite3.connect(path)
    assert held.execute("SELECT * FROM labels").fetchall() == [(id, "edge", 0.75)]
    held.close()


def test_a_label_makes_no_file_and_leaves_none_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def watched(*given: Any, **named: Any) -> sqlite3.Connection:
        opened.append(connect(*given, **named))
        return opened[-1]

    missing, log = tmp_path / "none.db", tmp_path / "what? 100%.db"
    DecisionLog(log).close()
    (tmp_path / "text").write_text(
        "no database, and quite long enough to be looked at as one\n" * 9
    )
    monkeypatch.setattr(sqlite3, "connect", watched)
    with pytest.raises(DataError, match="there is no file"):
        write_label(missing, id="x", quality=1.0)
    assert not missing.exists()
    for path, said in ((log, "no decision 'x'"), (tmp_path / "text", "cannot be written")):
        with pytest.raises(DataError, match=said):
            write_label(path, id="x", quality=1.0)
    with pytest.raises(DataError, match="no decision"):
        write_label(log, id="\ud800", quality=1.0)
    for held in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            held.execute("SELECT 1")
