import pytest
from hypothesis import given, settings
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
        "passwords",
        "pw",
        "bearer",
        "dbpassword",
        "authtoken",
        "SSH key",
    ],
)
def test_keys_of_secrets_are_known(key):
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "max_tokens",
        "num_tokens",
        "lr",
        "author",
        "keyboard",
        "passes",
        "tokenizer",
        "depth",
        "key",
        "monkey",
        "tokens_per_second",
        "token_limit",
        "pass_rate",
    ],
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
        ('x = dict(password="hunter2")', "hunter2"),
        ('+client = OpenAI(api_key="hunter2")', "hunter2"),
        ("client = f(g(token='a b hunter2'), 1)", "hunter2"),
        ('token = f"hunter2"', "hunter2"),
        ('token = rb"hunter2"', "hunter2"),
        ('token = """a\nhunter2"""', "hunter2"),
        ("token = 'it\\'s hunter2'", "hunter2"),
        ('token = "unfinished hunter2', "hunter2"),
        ('password: str = "hunter2"', "hunter2"),
        ('password: Optional[str] = "hunter2"', "hunter2"),
        ('password = read() or "hunter2"', "hunter2"),
        ('password = "some" + "hunter2"', "hunter2"),
        ('if password == "hunter2":', "hunter2"),
        ('password = SecretStr("hunter2")', "hunter2"),
        ('os.environ["MY_TOKEN"] = "hunter2"', "hunter2"),
        ('os.environ.setdefault("MY_TOKEN", "hunter2")', "hunter2"),
        ("secret: |\n  some\n  hunter2\nlr: 1", "hunter2"),
        ("+  secret: >-\n+    hunter2\n+  lr: 1", "hunter2"),
        ("credentials:\n  user: ann\n  value: hunter2", "hunter2"),
        ('auth=("ann","hunter2")', "hunter2"),
        ('passwords = [\n  "a",\n  "hunter2",\n]', "hunter2"),
        ('secret = {"a": "hunter2"', "hunter2"),
        (r"{\"password\": \"hunter2\"}", "hunter2"),
        (r"{\"password\": \"some hunter2\"}", "hunter2"),
        ("PASSWORD=ab,hunter2", "hunter2"),
        ("API key: hunter2", "hunter2"),
        ('["--password", "hunter2"]', "hunter2"),
        ("--password 'some hunter2' --lr 1", "hunter2"),
        ("curl -H 'Authorization: Bearer hunter2' http://host", "hunter2"),
        ("curl -H 'Authorization: Basic YW5uOmh1bnRlcjI='", "YW5uOmh1bnRlcjI"),
        ("Authorization: Digest user, response=hunter2", "hunter2"),
        ("Cookie: a=1; b=hunter2", "hunter2"),
        ("it takes Bearer hunter2 to get in", "hunter2"),
        ("it takes Basic YW5uOmh1bnRlcjI= to get in", "YW5uOmh1bnRlcjI"),
        ("X-Api-Key: hunter2", "hunter2"),
        ("token = 'a' 'hunter2'", "hunter2"),
        ("secret: 'it''s hunter2'", "hunter2"),
        ("password = \\\n    'hunter2'", "hunter2"),
        ("secrets:\n- hunter2\n- b\nlr: 1", "hunter2"),
        ("secret: |\r\n  hunter2\r\nlr: 1", "hunter2"),
        ("Password:\nhunter2", "hunter2"),
        ("+secrets:\n+- hunter2\n+- b\n+lr: 1", "hunter2"),
        ("secrets:\n- b\n- hunter2\nlr: 1", "hunter2"),
        ("https://hunter2@github.com/ann/x.git", "hunter2"),
        ("https://host/?token=hunter2&lr=1", "hunter2"),
        ("prefix_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.hunter2", "hunter2"),
    ],
)
def test_values_in_the_place_of_a_secret_are_hidden(text, hidden):
    assert hidden not in mask_text(text, environ={})


@pytest.mark.parametrize(
    "text",
    [
        "lr=0.1, --depth 6, http://host:80/path?x=1, author: ann",
        "max_tokens=512, tokenizer='bpe', n_tokens: 3, key: value",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "018f3c5e-7b1a-7c3e-8f00-0123456789ab",
        "ssh://git@github.com/ann/x.git, abfs://container@account.dfs.core.windows.net/x",
        "git@github.com:ann/x.git, ann@example.com, https://host/@ann",
        "use_auth_token=True, token=None, password=''",
        "+    if token:\n+        go()\n class Token:\n     pass",
        "a bearer of news, Basic LogisticRegression, Basic training",
        "std::token::Kind, the token, the password; auth",
        "secrets:\nlr: 1",
        "def fit(token: str, lr: float = 0.1) -> None:",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text):
    assert mask_text(text, environ={}) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('dict(password="x", lr=1)', f'dict(password="{MASK}", lr=1)'),
        ("secret: |\n  a\n  b\n\nlr: 1", f"secret: |\n  {MASK}\n\nlr: 1"),
        ("+secret: |\n+  a\n+lr: 1", f"+secret: |\n+  {MASK}\n+lr: 1"),
        ("https://h/?token=a&lr=1", f"https://h/?token={MASK}&lr=1"),
        ("password=a;lr=1, user=ann", f"password={MASK};lr=1, user=ann"),
        ('token: str = f"a" + b', f'token: str = f"{MASK}" + {MASK}'),
        ("auth=('a', ')')\nlr=1", f"auth={MASK}\nlr=1"),
        ("auth=('a',\nlr=1", f"auth={MASK}\nlr=1"),
    ],
)
def test_what_stands_around_a_secret_stays(text, masked):
    assert mask_text(text, environ={}) == masked


@pytest.mark.parametrize(
    "text",
    [
        "a." * 100_000,
        "eyJ-" * 50_000,
        "x" * 1_000_000,
        "sk-a " * 50_000,
        "://a:" * 50_000,
        "a\\'" * 50_000,
        "-" * 200_000,
        "Basic " * 50_000,
        "-----BEGIN " * 20_000,
    ],
    ids=lambda text: text[:10],
)
def test_long_texts_are_masked_as_short_ones_are(text):
    assert mask_text(f"{text} password=hunter2", environ={}) == f"{text} password={MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "password=(\n",
        "password=[{(\n",
        "token='''",
        'token="""\n',
        "secret:\n ",
        "token=a = ",
        "key: ",
        "--token ",
    ],
)
def test_secrets_are_hidden_however_many_there_are(text):
    masked = mask_text(text * 20_000 + " password=hunter2", environ={})
    assert "hunter2" not in masked


def test_a_long_diff_is_masked_and_keeps_its_harmless_lines():
    line = '+    model = fit(depth=6, rate=0.1)  # as in "notes": {a: 1}\n'
    diff = line * 3000 + '+    login(password="hunter2")\n'
    assert mask_text(diff, environ={}) == line * 3000 + f'+    login(password="{MASK}")\n'


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
        "token": MASK,
    }


@pytest.mark.parametrize("value", [12345678901, 0.5, "x", b"x", object()])
def test_values_of_any_type_are_hidden_below_the_key_of_a_secret(value):
    assert mask_value("password", value) == MASK
    assert mask_value("login", {"credentials": {"value": [value]}}) == {
        "credentials": {"value": [MASK]}
    }


@pytest.mark.parametrize("value", [None, True, False, ""])
def test_that_there_is_a_secret_or_none_may_be_told(value):
    assert mask_value("password", value) is value


def test_secrets_in_the_names_of_nested_values_are_hidden():
    assert mask_value("by", {f"try {SECRETS['aws']}": 1}) == {f"try {MASK}": 1}


def test_options_in_lists_are_masked_as_on_the_command_line():
    value = ["--password", "hunter2", "--token=A B", "--lr", 1]
    assert mask_value("command", value) == ["--password", MASK, f"--token={MASK}", "--lr", 1]


def test_an_option_s_value_in_the_next_word_is_hidden():
    argv = ["x.py", "--password", "hunter2", "--lr", "0.1"]
    assert mask_argv(argv) == ["x.py", "--password", MASK, "--lr", "0.1"]


@pytest.mark.parametrize(
    ("word", "masked"),
    [
        ("--token=A B", f"--token={MASK}"),
        ("PASSWORD=A B", f"PASSWORD={MASK}"),
        ("+db.password=A B", f"+db.password={MASK}"),
        ("--header=X-Api-Key: A B", f"--header=X-Api-Key: {MASK}"),
        ("X-Api-Key: A B", f"X-Api-Key: {MASK}"),
        ("--header=Authorization: Bearer abc", f"--header=Authorization: {MASK}"),
        ("--lr=0.1", "--lr=0.1"),
        ("--token=", "--token="),
    ],
)
def test_the_rest_of_a_word_that_names_a_secret_is_hidden(word, masked):
    assert mask_argv(["curl", word]) == ["curl", masked]


def test_variables_of_the_process_count_from_when_they_are_set_until_they_are_gone(monkeypatch):
    assert mask_text("say opensesame") == "say opensesame"
    monkeypatch.setenv("MASKING_TEST_TOKEN", "opensesame")
    assert mask_text("say opensesame") == f"say {MASK}"
    monkeypatch.setenv("MASKING_TEST_TOKEN", "closesesame")
    assert mask_text("opensesame closesesame") == f"opensesame {MASK}"
    monkeypatch.delenv("MASKING_TEST_TOKEN")
    assert mask_text("say closesesame") == "say closesesame"


def test_an_environment_of_another_kind_is_read_too(monkeypatch):
    monkeypatch.setattr("os.environ", {"MY_TOKEN": "opensesame"})
    assert mask_text("say opensesame") == f"say {MASK}"


def test_a_variable_that_holds_the_word_masked_changes_nothing():
    assert mask_text("password=x", {"MY_TOKEN": "masked"}) == f"password={MASK}"


PIECES = (
    """password token x = : ' " \\ \\" ( ) [ ] { , ; + | :// http @ / ? & -- Authorization f -"""
)
SPACED = [": ", " = ", ", ", "\n", "\n  ", " ", " or ", "Bearer ", '"' * 3, MASK]


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*PIECES.split(), *SPACED, *SECRETS.values()]), max_size=20).map(
        "".join
    )
)
def test_what_looks_like_code_can_be_masked_twice_too(text):
    once = mask_text(text, environ={})
    assert mask_text(once, environ={}) == once


@given(st.text())
def test_any_text_can_be_masked_twice_with_the_result_of_once(text):
    once = mask_text(text, environ={})
    assert mask_text(once, environ={}) == once
