import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.masking import MASK, is_secret_key, mask_argv, mask_text, mask_value

SECRETS = {
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": "ghp_" + "a1B2" * 9,
    "openai": "sk-" + "abcDEF123" * 4,
    "hugging": "hf_" + "aBcD" * 9,
    "slack": "xoxb-123456789012-abcdef",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_secrets_of_known_shape_are_hidden_in_any_text(secret):
    masked = mask_text(f"+ see {secret} here", environ={})
    assert secret not in masked
    assert MASK in masked
    assert masked.startswith("+ see ")


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "DB_PASSWORD",
        "apiKey",
        "api_key",
        "AWS_SECRET_ACCESS_KEY",
        "accessToken",
        "client.secret",
        "AZURE_STORAGE_CONNECTION_STRING",
        "auth",
    ],
)
def test_keys_of_secrets_are_known(key):
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key", ["max_tokens", "num_tokens", "lr", "author", "keyboard", "passes", "tokenizer", "depth"]
)
def test_keys_that_only_resemble_them_are_not(key):
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgres://me:hunter2@host/db", "hunter2"),
        ("https://host/x?sig=abc123&y=1", "abc123"),
        ("password = 'hunter2'", "hunter2"),
        ("DB_PASSWORD: hunter2", "hunter2"),
        ('{"token": "hunter2"}', "hunter2"),
        ("train.py --api-key hunter2 --lr 3", "hunter2"),
        ("train.py --api-key=hunter2", "hunter2"),
    ],
)
def test_values_in_the_place_of_a_secret_are_hidden(text, hidden):
    assert hidden not in mask_text(text, environ={})


def test_what_is_no_secret_stays_as_it_is():
    text = "lr=0.1, --depth 6, http://host:80/path?x=1, author: ann"
    assert mask_text(text, environ={}) == text


def test_values_of_secret_variables_are_hidden_everywhere():
    environ = {"MY_API_KEY": "opensesame", "HOME": "/home/ann", "DB_PASSWORD": "ab"}
    assert mask_text("say opensesame at /home/ann, ab", environ) == f"say {MASK} at /home/ann, ab"


def test_paths_that_variables_of_secret_names_hold_are_no_secrets(tmp_path):
    (tmp_path / "credentials.json").write_text("{}")
    environ = {
        "PWD": str(tmp_path),
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "credentials.json"),
        "DB_PASSWORD": "/not/a/path",
    }
    text = f'File "{tmp_path}/train.py", line 4, {tmp_path}/credentials.json, /not/a/path'
    assert mask_text(text, environ) == text.replace("/not/a/path", MASK)


def test_nested_values_are_masked_by_their_own_keys():
    value = {"db": {"user": "ann", "password": "x"}, "keys": ["a", 1], "token": 5}
    assert mask_value("config", value) == {
        "db": {"user": "ann", "password": MASK},
        "keys": ["a", 1],
        "token": 5,
    }


def test_an_option_s_value_in_the_next_word_is_hidden():
    argv = ["x.py", "--password", "hunter2", "--lr", "0.1"]
    assert mask_argv(argv) == ["x.py", "--password", MASK, "--lr", "0.1"]


@given(st.text())
def test_any_text_can_be_masked_twice_with_the_result_of_once(text):
    once = mask_text(text, environ={})
    assert mask_text(once, environ={}) == once
