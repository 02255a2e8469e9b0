"""What is masked in reports, and what is not; how a message repeats what somebody wrote."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.path import Item, name_of, show
from controller.core.quoting import LONGEST, brief, escaped, quote
from controller.core.redact import SECRET_NAME, is_telling_flag, mask, redact, secret_spans

MASK = re.compile("•••• sha256:[0-9a-f]{4}")

SHAPES = {
    "AWS access key": "AKIA" + "A" * 16,
    "AWS temporary key": "ASIA" + "7" * 16,
    "GitHub": "ghp_" + "a" * 36,
    "GitHub fine-grained": "github_pat_" + "a" * 40,
    "Hugging Face": "hf_" + "a" * 30,
    "Slack": "xoxb-1234567890-abc",
    "model provider": "sk-" + "a" * 30,
    "JSON web token": "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES.keys())
def test_what_has_the_shape_of_a_secret_is_masked_under_any_name(secret):
    shown = redact(f"before {secret}")
    assert secret not in shown
    assert shown.startswith("before ")
    assert MASK.fullmatch(shown.removeprefix("before "))


ANNOUNCED = {
    "HF_TOKEN=hunter2 --x": "HF_TOKEN={} --x",
    'export API_KEY="hunter 2"': "export API_KEY={}",
    "password: hunter2": "password: {}",
    "--token hunter2 --epochs 3": "--token {} --epochs 3",
    "--hf-token=hunter2": "--hf-token={}",
    '["--password", "hunter2"]': '["--password", {}]',
    "postgres://user:hunter2@host/db": "postgres://{}@host/db",
    "Authorization: Bearer abcdefghijklmnop1234": "Authorization: Bearer {}",
    "a DB_PWD=x, b=y": "a DB_PWD={}, b=y",
}


@pytest.mark.parametrize(("text", "form"), ANNOUNCED.items())
def test_what_a_word_announces_is_masked(text, form):
    before, _, after = form.partition("{}")
    shown = redact(text)
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert MASK.fullmatch(shown[len(before) : len(shown) - len(after)])


INNOCENT = [
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:hf-token-AbCdEf:token::",
    "arn:aws:ssm:us-east-1:123456789012:parameter/ml/hf-token",
    "--tokenizer bert",
    "tokenize: yes",
    "https://example.com/a:b",
    "python train.py --epochs 3",
    "compass: north",
    "privileged",
    "skip-this",
    "",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_is_shown(text):
    assert redact(text) == text
    assert list(secret_spans(text)) == []


def test_names_tell():
    telling = [
        "HF_TOKEN",
        "db-password",
        "apiKey",
        "API_KEY",
        "access_key",
        "Secret",
        "DB_PASS",
        "db_pwd",
        "passphrase",
    ]
    assert all(SECRET_NAME.search(name) for name in telling)
    innocent = ["tokenizer", "TOKENISER", "LR", "bypass", "passive", "COMPASS", "key", "name"]
    assert not any(SECRET_NAME.search(name) for name in innocent)


def test_a_structure_is_masked_where_its_names_tell():
    container = {
        "name": "train",
        "image": "x",
        "environment": [
            {"name": "HF_TOKEN", "value": "hunter2"},
            {"name": "LR", "value": "1e-3"},
            {"name": "EMPTY_TOKEN", "value": ""},
        ],
        "secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/db-password"}],
        "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:us-east-1:1:secret:hub"},
        "command": ["run", "--token", "hunter2", "--epochs", "3"],
        "essential": True,
        "memory": 1,
    }
    shown = redact(container)
    assert "hunter2" not in str(shown)
    assert MASK.fullmatch(shown["environment"][0]["value"])
    assert MASK.fullmatch(shown["command"][2])
    shown["environment"][0]["value"] = shown["command"][2] = "hunter2"
    assert shown == container


def test_a_value_under_a_telling_name_is_masked_however_deep():
    assert MASK.fullmatch(redact("hunter2", name="HF_TOKEN"))
    assert MASK.fullmatch(redact({"password": ["hunter2"]})["password"][0])
    assert MASK.fullmatch(redact({"password": {"x": "hunter2"}})["password"]["x"]) is None, "x has a name of its own"
    assert redact(4711, name="HF_TOKEN") == 4711, "numbers are told apart by their callers"
    assert MASK.fullmatch(redact({"key": "api_key", "value": "hunter2"})["value"])
    assert redact(("a", "b")) == ["a", "b"]
    assert redact("arn:aws:s3:::models", name="HF_TOKEN") == "arn:aws:s3:::models"


def test_a_mask_shows_that_a_value_changed_and_no_more():
    assert mask("a") != mask("b")
    assert mask("a") == mask("a")
    assert MASK.fullmatch(mask("\ud800"))
    assert len(mask("x" * 1000)) == len(mask("x"))


def test_flags():
    assert is_telling_flag("--token")
    assert is_telling_flag("-api-key")
    assert not any(map(is_telling_flag, ["--token=x", "token", "--tokenizer", "--epochs", ""]))


@given(st.text(max_size=60))
def test_masking_twice_is_masking_once_and_spans_are_inside(text):
    for start, end in secret_spans(text):
        assert 0 <= start < end <= len(text)
    assert isinstance(redact(text), str)


# Messages
# ---------------------------------------------------------------------------------------------------------------


def test_a_message_is_one_line_and_commands_no_terminal():
    assert escaped("a\n\t\x1b[2J\u202e\u2028é名𝄞") == "a\\n\\t\\x1b[2J\\u202e\\u2028é名𝄞"
    assert escaped("plain") == "plain"
    assert escaped("\U000e0001") == "\\U000e0001"


def test_a_message_repeats_no_more_than_anybody_reads():
    assert brief("x" * LONGEST) == "x" * LONGEST
    assert brief("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"
    assert brief("\n" * LONGEST) == "\\n" * 29 + "\\…"
    assert quote("x" * 10_000_000) == f"`{'x' * (LONGEST - 1)}…`"


def test_a_quotation_shows_no_secret():
    token = "hf_" + "a" * 30
    assert token not in quote(f"login {token}")
    assert quote("HF_TOKEN=hunter2").startswith("`HF_TOKEN=••••")
    assert quote("") == "``"


def test_a_path_is_one_line_as_people_read_it():
    path = ("taskDefinition", "containerDefinitions", Item("train"), "command", 3)
    assert show(path) == "taskDefinition.containerDefinitions[train].command[3]"
    assert show(()) == ""
    assert show((Item("a\nb"), "c\x1b")) == "[a\\nb].c\\x1b"
    assert show(("x" * 257,)) == f"{'x' * 255}…"
    assert show(("x" * 256,)) == "x" * 256
    assert show((0, "a")) == "[0].a"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("environment", Item("HF_TOKEN"), "value"), "HF_TOKEN"),
        (("environment", Item("HF_TOKEN")), "HF_TOKEN"),
        ((Item("HF_TOKEN"), "value"), "HF_TOKEN"),
        ((3, "value"), "value"),
        (("command", 3), "command"),
        (("value",), "value"),
        ((3,), ""),
        ((), ""),
    ],
)
def test_the_name_by_which_people_know_a_value(path, name):
    assert name_of(path) == name
