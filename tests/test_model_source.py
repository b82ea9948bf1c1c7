"""URLs of models: which are asked, and where redirects may lead."""

from __future__ import annotations

import cloud_server as play
import pytest
from file_server import ServedFile, redirect

from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.model_source import MOST_REDIRECTS, ModelUrl, opened


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/a.gguf", "is not https"),
        ("ftp://example.com/a.gguf", "is not https"),
        ("https:///a.gguf", "no usable host"),
        ("https://h:99999/a.gguf", "not a URL"),
        ("https://h/a b.gguf", "no usable host"),
        ("https://[::1/a.gguf", "not a URL"),
    ],
)
def test_an_unfit_url_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ModelUrl(url)


def test_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        ModelUrl("https://me:hunter2@example.com/a.gguf")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8", "localhost", "[::1]:9"])
def test_this_machine_may_be_asked_over_http(host: str) -> None:
    assert ModelUrl(f"http://{host}/a.gguf").is_loopback


def test_what_is_shown_has_no_query() -> None:
    url = ModelUrl("https://h/x/My%20Model.gguf?sig=abc#frag")
    assert url.shown == "https://h/x/My%20Model.gguf"
    assert url.file == "My Model.gguf"
    assert url.key != ModelUrl("https://h/x/My%20Model.gguf?sig=abd").key


@pytest.mark.parametrize(
    ("start", "location"),
    [
        ("https://h/a", "http://h/b"),
        ("https://h/a", "http://127.0.0.1/b"),
        ("https://h/a", "file:///etc/passwd"),
        ("http://127.0.0.1/a", "http://example.com/b"),
    ],
)
def test_a_redirect_never_leaves_https(start: str, location: str) -> None:
    with pytest.raises(ModelMissing, match="redirects"):
        ModelUrl(start).follow(location)


def test_a_redirect_may_be_relative() -> None:
    assert ModelUrl("https://h/a/b.gguf").follow("../c.gguf").text == "https://h/c.gguf"
    assert ModelUrl("http://localhost/a").follow("https://h/c").text == "https://h/c"


def test_redirects_are_followed_up_to_a_limit() -> None:
    served = ServedFile(data=b"GGUF1")
    hops = [redirect("/next")] * MOST_REDIRECTS
    with play.CloudServer(*hops, served) as server, opened(ModelUrl(server.url), {}) as answer:
        assert b"".join(answer.blocks()) == b"GGUF1"
    with (
        play.CloudServer(redirect("/next")) as server,
        pytest.raises(ModelMissing, match="more than 5 redirects"),
        opened(ModelUrl(server.url), {}),
    ):
        pass
    assert len(server.seen) == MOST_REDIRECTS + 1


def test_no_key_cookie_or_password_is_sent(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    first = play.raw(
        play.head(302, location="/next", content_length="0", set_cookie="session=planted")
    )
    served = ServedFile(data=b"GGUF1")
    with play.CloudServer(first, served) as server, opened(ModelUrl(server.url), {}) as answer:
        assert answer.status == 200
    for seen in server.seen:
        assert not {"authorization", "cookie", "referer"} & set(seen.headers)
        assert "planted" not in str(seen.headers)


def test_a_host_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(
            ModelMissing, match=r"127\.0\.0\.1 cannot be reached \(Connection refused"
        ) as caught,
        opened(ModelUrl("http://127.0.0.1:1/a.gguf?sig=abc"), {}),
    ):
        pass
    assert "abc" not in str(caught.value)
