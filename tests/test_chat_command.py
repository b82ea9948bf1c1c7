"""`hybridroute chat` through a pipe and in a pseudo-terminal, over real HTTP."""

import json
import os

import cloud_server as play
import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

ANSWER = play.stream(play.piece("blue"), play.piece(" sky", finish="stop"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return str(write_tiny_bundle(tmp_path_factory.mktemp("chat") / "tiny").path)


def flags(server, bundle):
    there = ("--cloud-url", server.url, "--cloud-model", "big-1", "--cloud-key-env", "")
    return ("chat", *there, "--mode", "only_in_cloud", "--bundle", bundle)


def roles(seen):
    return [message["role"] for message in seen.body["messages"]]


class TestPiped:
    def test_a_line_is_a_question_and_answers_alone_are_on_stdout(self, bundle, tmp_path):
        with play.CloudServer(ANSWER) as server:
            done = run(*flags(server, bundle), cwd=tmp_path, stdin="hi\n")
        assert (done.returncode, done.stdout) == (0, "blue sky\n")
        assert done.stderr == "[cloud] big-1: mode only in cloud\n"

    def test_a_follow_up_carries_the_history_and_new_forgets_it(self, bundle, tmp_path):
        lines = "one\n\n//two\n/new\nthree"
        with play.CloudServer(ANSWER) as server:
            done = run(*flags(server, bundle), "--system", "s", cwd=tmp_path, stdin=lines)
        assert done.stdout == "blue sky\n" * 3
        assert "a new conversation" in done.stderr
        assert roles(server.seen[1]) == ["system", "user", "assistant", "user"]
        assert server.seen[1].body["messages"][-1]["content"] == "/two"
        assert roles(server.seen[2]) == ["system", "user"]

    def test_json_lines(self, bundle, tmp_path):
        with play.CloudServer(ANSWER) as server:
            done = run(
                *flags(server, bundle), "--json", cwd=tmp_path, stdin="a\n/stats\nb\n/quit\nc"
            )
        documents = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["content"] for one in documents] == ["blue sky", "blue sky"]
        assert documents[0]["arm"] == documents[0]["hybridroute"]["arm"] == "cloud"
        assert documents[0]["stopped"] is False
        assert "1 answers, 0% on the edge" in done.stderr

    def test_a_failure_is_1_and_one_line(self, bundle, tmp_path):
        with play.CloudServer(play.answer({}, 401)) as server:
            done = run(*flags(server, bundle), cwd=tmp_path, stdin="a\nb\n")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert len(server.seen) == 1

    def test_a_wrong_command_is_1(self, bundle, tmp_path):
        with play.CloudServer(ANSWER) as server:
            done = run(*flags(server, bundle), cwd=tmp_path, stdin="/dial 7\na\n")
        assert (done.returncode, done.stdout) == (1, "")
        assert "dial is 7.0; give a number from 0 to 1" in done.stderr

    def test_nothing_is_asked_of_an_empty_pipe(self, bundle, tmp_path):
        with play.CloudServer(ANSWER) as server:
            done = run(*flags(server, bundle), cwd=tmp_path, stdin="")
        assert (done.returncode, done.stdout, done.stderr, server.seen) == (0, "", "", [])


def said(text):
    """A behaviour that streams a few words and then nothing, until the client is gone."""

    def behave(visit):
        visit.send(play.STREAM_HEAD + play.chunked(play.events(play.piece(text), done=False)))
        visit.until_gone()
        return False

    return behave


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX's")
class TestTerminal:
    @pytest.fixture
    def opened(self, bundle, tmp_path):
        from terminal import Terminal

        def start(server, **variables):
            return Terminal(*flags(server, bundle), cwd=tmp_path, **variables)

        return start

    def test_a_question_its_answer_and_ctrl_d(self, opened):
        with play.CloudServer(ANSWER) as server, opened(server) as terminal:
            assert "cloud big-1" in terminal.until("> ")
            terminal.type("hi\n")
            assert "[cloud] big-1" in terminal.until("blue sky\n> ")
            assert "\x1b[36m" in terminal.raw
            terminal.type("/why\n")
            assert "cloud (big-1) answers because the mode is only_in_cloud" in terminal.until("> ")
            terminal.type("\x04")
            assert terminal.end() == 0

    def test_no_color_takes_the_colour_away(self, opened):
        with play.CloudServer(ANSWER) as server, opened(server, NO_COLOR="1") as terminal:
            terminal.until("> ")
            terminal.type("hi\n")
            terminal.until("blue sky\n> ")
            assert "\x1b[36m" not in terminal.raw
            terminal.type("/quit\n")
            assert terminal.end() == 0

    def test_ctrl_c_stops_the_answer_and_not_the_chat(self, opened):
        script = (said("wait for"), ANSWER)
        with play.CloudServer(*script) as server, opened(server) as terminal:
            terminal.until("> ")
            terminal.type("hi\n")
            terminal.until("wait for")
            terminal.type("\x03")
            terminal.until("(stopped)\n> ")
            assert server.gone.acquire(timeout=10)
            terminal.type("and now\n")
            terminal.until("blue sky\n> ")
            asked = server.seen[1].body["messages"]
            assert [message["content"] for message in asked] == ["hi", "wait for", "and now"]
            terminal.interrupt_at_prompt("\n> ")
            terminal.type("/quit\n")
            assert terminal.end() == 0

    def test_a_failure_is_told_and_the_chat_goes_on(self, opened):
        script = (play.answer({}, 401), ANSWER)
        with play.CloudServer(*script) as server, opened(server) as terminal:
            terminal.until("> ")
            terminal.type("hi\n")
            assert "401" in terminal.until("> ")
            terminal.type("again\n")
            terminal.until("blue sky\n> ")
            assert roles(server.seen[1]) == ["user"]

    def test_an_answer_cannot_steer_the_terminal(self, opened):
        evil = play.stream(play.piece("a\x1b]0;owned\x07b", finish="stop"))
        with play.CloudServer(evil) as server, opened(server) as terminal:
            terminal.until("> ")
            terminal.type("hi\n")
            terminal.until("a]0;ownedb\n> ")
            assert "\x1b]0;" not in terminal.raw

    def test_history_is_in_memory_alone(self, opened, tmp_path):
        home = tmp_path / "home"
        home.mkdir()
        with play.CloudServer(ANSWER) as server, opened(server, HOME=str(home)) as terminal:
            terminal.until("> ")
            terminal.type("first\n")
            terminal.until("blue sky\n> ")
            terminal.type("\x1b[A\n")  # the arrow up
            terminal.until("blue sky\n> ")
            assert server.seen[1].body["messages"][-1]["content"] == "first"
            terminal.type("/quit\n")
            assert terminal.end() == 0
        assert list(home.iterdir()) == []
