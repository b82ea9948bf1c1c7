"""Settings: flag > variable > file > default, and errors that name where a value stands."""

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings import load_settings, unknown_variables
from hybridroute.settings_sections import Settings


def load(folder, text=None, environ=None, **flags):
    if text is not None:
        (folder / "hybridroute.toml").write_text(text, encoding="utf-8")
    return load_settings(flags, environ=environ or {}, folder=folder)


def test_nothing_said_gives_the_defaults(tmp_path):
    assert load(tmp_path) == Settings()


def test_the_file_is_read_section_by_section(tmp_path):
    text = (
        "[router]\nthreads = 1\ndial = 1\nmode = 'only_on_device'\n"
        "[edge]\nengine = 'xllamacpp'\n[cloud]\nmodel = 'm'\ntotal_timeout_s = 9\n"
    )
    held = load(tmp_path, text)
    assert (held.router.threads, held.router.dial, held.router.mode) == (1, 1.0, "only_on_device")
    assert held.edge.engine == "xllamacpp"
    assert (held.cloud.model, held.cloud.total_timeout_s) == ("m", 9.0)
    assert held.file == tmp_path / "hybridroute.toml"


def test_a_variable_beats_the_file_and_a_flag_beats_both(tmp_path):
    text = "[cloud]\nmodel = 'file'\n"
    environ = {"HYBRIDROUTE_CLOUD_MODEL": "variable"}
    assert load(tmp_path, text).cloud.model == "file"
    assert load(tmp_path, text, environ).cloud.model == "variable"
    assert load(tmp_path, text, environ, cloud={"model": "flag"}).cloud.model == "flag"
    assert load(tmp_path, text, environ, cloud={"model": None}).cloud.model == "variable"


@pytest.mark.parametrize("nearer", ["variable", "flag"])
def test_a_nearer_layer_replaces_the_amount_however_it_is_said(tmp_path, nearer):
    environ = {"HYBRIDROUTE_ROUTER_THRESHOLD": "0.2"} if nearer == "variable" else {}
    flags = {"router": {"threshold": 0.2, "dial": None}} if nearer == "flag" else {}
    router = load(tmp_path, "[router]\ndial = 0.9\n", environ, **flags).router
    assert (router.dial, router.threshold) == (None, 0.2)


def test_a_promise_is_an_amount_and_takes_its_words_with_it(tmp_path):
    text = "[router]\nmax_drop = 0.02\nconfidence = 0.95\ndrop_kind = 'relative'\n"
    router = load(tmp_path, text).router
    assert (router.max_drop, router.confidence, router.drop_kind) == (0.02, 0.95, "relative")
    nearer = load(tmp_path, text, {"HYBRIDROUTE_ROUTER_DIAL": "0.4"}).router
    assert (nearer.dial, nearer.max_drop, nearer.confidence, nearer.drop_kind) == (0.4, *[None] * 3)
    surer = load(tmp_path, text, router={"confidence": 0.99}).router
    assert (surer.max_drop, surer.confidence) == (0.02, 0.99)
    other = load(tmp_path, text, {"HYBRIDROUTE_ROUTER_MAX_DROP": "0.05"}).router
    assert (other.max_drop, other.confidence, other.drop_kind) == (0.05, None, None)


def test_the_file_may_be_named_by_a_variable(tmp_path):
    named = tmp_path / "other.toml"
    named.write_text("[edge]\nthreads = 3\n")
    environ = {"HYBRIDROUTE_CONFIG": str(named)}
    assert load(tmp_path, "[edge]\nthreads = 1\n", environ).edge.threads == 3
    with pytest.raises(ConfigError, match=r"names .*absent\.toml, which is not a file; correct"):
        load(tmp_path, environ={"HYBRIDROUTE_CONFIG": str(tmp_path / "absent.toml")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[router]\nqality = 1\n", r"hybridroute\.toml:2: router\.qality is not a setting"),
        ("[routes]\ndial = 1\n", r"hybridroute\.toml:1: 'routes' is not a section"),
        ("dial = 1\n", r"hybridroute\.toml:1: 'dial' is not a section"),
        ("[router]\ndial = 'high'\n", r"router\.dial is str 'high'; give a number"),
        ("[router]\nthreads = true\n", r"router\.threads is bool True; give a whole number"),
        ("[router]\nthreads = 1.5\n", r"router\.threads is float 1\.5; give a whole number"),
        ("[cloud]\ntools = 1\n", r"cloud\.tools is int 1; give true or false"),
        ("[routes]\n", "is not a section"),
        ("[router\n", r"hybridroute\.toml:1: it is not valid TOML"),
    ],
)
def test_an_error_names_file_and_key(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, text)


@pytest.mark.parametrize("key", ["key", "api_key", "token"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path, key):
    with pytest.raises(ConfigError, match="environment variables alone") as caught:
        load(tmp_path, f"[cloud]\n{key} = 'sk-very-secret'\n")
    assert "sk-very-secret" not in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [("x", "a number"), ("", None)])
def test_a_variable_of_a_wrong_type_is_named(tmp_path, text, said):
    environ = {"HYBRIDROUTE_ROUTER_DIAL": text}
    if said is None:  # set and empty is as good as unset
        assert load(tmp_path, environ=environ).router.dial is None
        return
    with pytest.raises(ConfigError, match=f"HYBRIDROUTE_ROUTER_DIAL is 'x'; give {said}"):
        load(tmp_path, environ=environ)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("0", False)]
)
def test_a_variable_says_true_or_false_in_words_or_digits(tmp_path, text, value):
    environ = {"HYBRIDROUTE_CLOUD_STREAM_USAGE": text}
    assert load(tmp_path, "[cloud]\nimages = false\n", environ).cloud.stream_usage is value
    assert load(tmp_path).cloud.images is False
    with pytest.raises(ConfigError, match="CLOUD_STREAM_USAGE is 'yes'; give true or false"):
        load(tmp_path, environ={"HYBRIDROUTE_CLOUD_STREAM_USAGE": "yes"})


def test_a_folder_of_the_files_name_is_refused(tmp_path):
    (tmp_path / "hybridroute.toml").mkdir()
    with pytest.raises(ConfigError, match=r"hybridroute\.toml is not a file; take it away"):
        load(tmp_path)


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "hybridroute.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match=r"hybridroute\.toml is not a file; take it away"):
        load(tmp_path)


def test_variables_that_set_nothing_are_found(tmp_path):
    environ = {
        "HYBRIDROUTE_DIAL": "1",
        "HYBRIDROUTE_ROUTER_DIAL": "1",
        "HYBRIDROUTE_DATA": "x",
        "HYBRIDROUTE_KEY": "sk",
        "PATH": "/",
    }
    held = load(tmp_path, cloud={"api_key_env": "HYBRIDROUTE_KEY"})
    assert unknown_variables(environ, held) == ["HYBRIDROUTE_DIAL"]


def test_the_variable_that_holds_a_key_may_be_named_empty_by_flag(tmp_path):
    held = load(tmp_path, "[cloud]\napi_key_env = 'K'\n", cloud={"api_key_env": ""})
    assert held.cloud.api_key_env == ""
