"""What of a spec file may be shown: no secret, however it is written, and all else."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.core.source_secrets import secret_ranges

S = "hunter2"
"""The secret of all cases; it has no shape by which anybody could know it."""


def shown(text: str) -> str:
    """A file as it may be shown, all hidden characters as one sign each."""
    chars = list(text)
    ranges = secret_ranges(text.encode())
    assert ranges == sorted(ranges)
    assert all(start < end <= len(text) for start, end in ranges)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges))
    for start, end in ranges:
        chars[start:end] = "•" * (end - start)
    return "".join(chars)


HIDDEN = {
    "plain": "HF_TOKEN: hunter2\n",
    "quoted": "HF_TOKEN: 'hunter2'\n",
    "a key in quotes": '"HF_TOKEN": "hunter2"\n',
    "as JSON": '{"HF_TOKEN":"hunter2"}\n',
    "escaped": 'password: "\\x68unter2 hunter2"\n',
    "in a flow mapping": "env: {LR: 1, DB_PASSWORD: hunter2, N: 2}\n",
    "in a list": "passwords:\n- hunter2\n- x hunter2\n",
    "a list beside its key": "a:\n  tokens:\n  - x\n  - hunter2\n",
    "nested": "credentials:\n  user:\n    deep: [1, {x: hunter2}]\n",
    "literal block": "api_key: |\n  a\n  hunter2\n\n  hunter2\nLR: 1\n",
    "folded block": "api-key: >-\n  a\n  hunter2\n",
    "last block without a line end": "secret: |\n  a\n  hunter2",
    "plain over lines": "secret: a\n  b\n  hunter2\nLR: 1\n",
    "single quotes over lines": "secret: 'a\n\n  hunter2\n\n  b'\n",
    "double quotes over lines": 'secret: "a \\\n  hunter2"\n',
    "an item, name first": "- name: HF_TOKEN\n  value: hunter2\n",
    "an item, value first": "- value: hunter2\n  name: HF_TOKEN\n",
    "an item in one line": "- {value: hunter2, name: HF_TOKEN}\n",
    "an item with a block": "- value: |\n    a\n    hunter2\n  name: HF_TOKEN\n",
    "an item without a name": "- value: hunter2\n",
    "an item by key": "- key: access_key\n  value: hunter2\n",
    "a value of another type": "- {name: HF_TOKEN, value: [hunter2, {a: hunter2}]}\n",
    "an item with a misspelt value": "- {name: HF_TOKEN, vlaue: hunter2}\n",
    "an item with a value in capitals": "- {name: HF_TOKEN, Value: hunter2}\n",
    "an item with a member too many": "- {name: HF_TOKEN, type: text, vlaue: hunter2}\n",
    "a value where a reference belongs": (
        "secrets:\n- {name: HF_TOKEN, valueFrom: hunter2}\n- name: X_TOKEN\n  value: hunter2\n"
    ),
    "a value where a reference belongs, as a map": "secrets: {HF_TOKEN: hunter2, LR: hunter2}\n",
    "a flag": "command: [run, --token, hunter2]\n",
    "a flag as a list": "command:\n- run\n- --hf-token\n- hunter2\n",
    "a flag with a block": "command:\n- --token\n- |\n  a\n  hunter2\n",
    "a flag with its value": "command: [--token=hunter2]\n",
    "a flag in a text": "command: login --password hunter2\n",
    "a flag in a folded text": "command: >\n  login\n  --password\n  hunter2\n",
    "a flag in a text over lines": "command: login --password\n  hunter2\n",
    "an assignment in escapes": 'command: "a\\nHF\\x5fTOKEN\\x3dhunter2"\n',
    "an alias": "x: &t hunter2\nHF_TOKEN: *t\n",
    "an alias of a block": "x: &t |\n  a\n  hunter2\nHF_TOKEN: *t\n",
    "an alias of a mapping": "x: &t\n  a: hunter2\n  b: [hunter2]\ncredentials: *t\n",
    "an alias in an item": "x: &t hunter2\ny: [{value: *t, name: HF_TOKEN}]\n",
    "an alias of an alias": "x: &a hunter2\ny: &b [*a]\nsecret: *b\n",
    "an alias after a flag": "x: &t hunter2\ncommand: [--token, *t]\n",
    "a merge": "x: &d {value: hunter2}\ny:\n- <<: *d\n  name: HF_TOKEN\n",
    "a variable in a text of several lines": "patch: |\n  - name: HF_TOKEN\n    value: hunter2\nLR: 1\n",
    "a comment": "# HF_TOKEN: hunter2\nLR: 1\n",
    "an item in a comment": "env:\n# - name: HF_TOKEN\n#   value: hunter2\n- name: LR\n",
    "a block in a comment": "env:\n  # HF_TOKEN: |\n  #   a\n  #   hunter2\n  LR: 1\n",
    "another document": "a: 1\n---\nHF_TOKEN: hunter2\n---\nb: 1\n",
    "a document that is only a text": "a: 1\n---\nhunter2\n",
    "after a byte order mark": "\ufeffHF_TOKEN: hunter2\n",
    "with other line ends": "# é\r\nHF_TOKEN: |\r\n  a\r\n  hunter2\r\nLR: 1\r\n",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_secret_is_hidden(text):
    assert text.count(S), "the case plants one"
    assert S not in shown(text)


SYNTAX_ERRORS = {
    "an open bracket": "broken: [\n",
    "an open quote": "broken: 'x\n",
    "a tab": "\tbroken: x\n",
    "two colons": "broken: a: b\n",
    "no colon": "broken\n",
    "a control character": "broken: \x00\n",
    "a key twice": "a_key: 1\na_key: 2\n",
    "an unknown alias": "broken: *nothing\n",
    "a tag": "broken: !!str x\n",
}


UNTOLD = {
    "an item with a misspelt value",
    "an item with a member too many",
    "an assignment in escapes",
    "an alias of a mapping",
    "a document that is only a text",
}
"""What only structure tells: a misspelt member, a name in escapes, an alias of something nested."""


@pytest.mark.parametrize("error", SYNTAX_ERRORS.values(), ids=SYNTAX_ERRORS.keys())
@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_secret_is_hidden_before_a_broken_document(text, error):
    assert S not in shown(f"{text.rstrip()}\n---\n{error}")


@pytest.mark.parametrize("error", SYNTAX_ERRORS.values(), ids=SYNTAX_ERRORS.keys())
@pytest.mark.parametrize("case", sorted(HIDDEN.keys() - UNTOLD))
def test_a_secret_is_hidden_where_only_its_lines_can_tell(case, error):
    text = HIDDEN[case].removeprefix("\ufeff")
    assert S not in shown(f"{error}---\n{text}"), "the file is broken before it"
    assert S not in shown(f"{text.rstrip()}\n{error}"), "its own document is broken"


BROKEN = {
    "a block that is not indented": "HF_TOKEN: |\nhunter2\nhunter2 hunter2\nLR: 1\n",
    "a block that is indented too little": "a:\n    HF_TOKEN: |\n  hunter2\n    LR: 1\n",
    "a quote that nothing closes": 'a:\n  HF_TOKEN: "hunter2\n  hunter2\n  LR: 1\n',
    "a quoted text of lines that look like keys": 'a: [\nHF_TOKEN: \'{\n"user": "hunter2",\n"x": 1}\'\nb: 1\n',
    "a bracket that nothing closes": "env: {HF_TOKEN: x\n  hunter2, LR: 1\n  hunter2\nb: 1\n",
    "a value that is a mapping too": "HF_TOKEN: a: hunter2\n",
    "a value with a tab": "HF_TOKEN:\thunter2\n\tLR: 1\n",
    "a list beside its key": "a: [\npasswords:\n- hunter2\n- hunter2\n",
    "in a flow mapping over lines": 'a: [\nenv: {"HF_TOKEN":\n"hunter2"\n, "LR": 1}\n',
    "a flag": "a: {\ncommand: [\n--token,\nhunter2,\nx]\n",
    "a flag with a block": "a: {\ncommand:\n- --token\n- |\n  hunter2\n  hunter2\n- x\n",
    "an anchor": "a: [\nx: &t hunter2\nHF_TOKEN: *t\n",
    "an anchor of a block": "a: [\nx: &t |\n  a\n  hunter2\nHF_TOKEN: *t\n",
    "an anchor in quotes over lines": "a: [\nx: &t 'a\n\nhunter2'\nHF_TOKEN: *t\n",
    "a comment": "a: [\n# - name: HF_TOKEN\n#   value: hunter2\n",
    "bytes that are no text": "HF_TOKEN: \udcff\n  hunter2\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_where_a_file_is_broken_rather_too_much_is_hidden(text):
    content = text.encode(errors="surrogateescape")
    readable = content.decode(errors="replace")
    hidden = secret_ranges(content)
    for at in range(len(readable)):
        if readable.startswith(S, at):
            assert any(start <= at and at + len(S) <= end for start, end in hidden), readable[at:]


VISIBLE = {
    "LR: 1e-3\n",
    "- {name: LR, value: 1e-3}\n",
    "secrets:\n- {name: HF_TOKEN, valueFrom: /ml/hf-token}\n",
    "secrets: {HF_TOKEN: /ml/hf-token}\n",
    "secrets: [{name: HF_TOKEN, valueFrom: 'arn:aws:ssm:us-east-1:1:parameter/x'}]\n",
    "secretOptions: [{name: api_key, valueFrom: /x}]\n",
    "repositoryCredentials: {credentialsParameter: arn:aws:secretsmanager:x}\n",
    "HF_TOKEN: ''\n",
    "HF_TOKEN:\n",
    "{name: token-server, image: example.com/x, memory: 1, cpu: 2}\n",
    "command: [--tokenizer, bert, --verbose, x]\n",
    "privileged: true\n",
    "x: &a plain\ny: *a\n",
    "# a comment: with a colon\nLR: 1\n",
    "a: |\n  a block\n  of text\n",
    'a: "tab\\tand more"\n',
}


@pytest.mark.parametrize("text", sorted(VISIBLE))
def test_what_is_no_secret_is_shown(text):
    assert shown(text) == text


def test_only_the_secret_is_hidden():
    assert secret_ranges(b"hunter2") == [(0, 7)]
    text = "a: {LR: 1, HF_TOKEN: hunter2, N: 2} # why\nb: {value: x, name: LR}\nsecret: |\n  a\n\n  b\nc: 1\n"
    assert shown(text) == (
        "a: {LR: 1, HF_TOKEN: •••••••, N: 2} # why\nb: {value: x, name: LR}\nsecret: •••••••••••c: 1\n"
    )


def test_a_broken_file_shows_what_is_far_from_any_secret():
    text = "a: [\nLR: 1\nHF_TOKEN: |\n  x\nN: 2\n- value: x\n  name: y\nz: 3\n---\nb: 4\n"
    assert shown(text) == "a: [\nLR: 1\nHF_TOKEN: •\n  •\nN: 2\n- value: •\n  name: y\nz: 3\n---\nb: 4\n"


def test_only_a_key_ends_what_a_line_began():
    """Not a list's member, not a mark of a document: both may stand in the middle of a secret by mistake."""
    for mark in ("---", "...", "- x", "-:", "'"):
        assert S not in shown(f"a: [\nHF_TOKEN: |\n  x\n{mark}\n  hunter2\n")
    assert shown("a: [\nHF_TOKEN: |\n  x\n---\nsound: 1\n").endswith("•••\nsound: 1\n")


PIECES = st.lists(
    st.sampled_from(
        [
            *"ab:-?[]{}&*|>'\"#, \t\n\r",
            "\n- ",
            ": ",
            "HF_TOKEN: ",
            "value: ",
            "&a ",
            "*a",
            "--token ",
            "---\n",
            "é",
            "𝄞",
        ]
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=80), PIECES.map("".join).map(str.encode)))
@example(b"\xef\xbb\xbf\xef\xbb\xbfa_token: x")
@example(b"token: ")
@example(b"token: &a")
@example(b"[" * 100)
def test_ranges_are_in_order_and_inside_any_file(content):
    length = len(content.decode(errors="replace").removeprefix("\ufeff"))
    reach = 0
    for start, end in secret_ranges(content):
        assert reach <= start < end <= length
        reach = end
