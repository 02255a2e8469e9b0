"""What libyaml complains about is told in words, at the place where the mistake was made."""

import pytest
import yaml as pyyaml

from controller.core.diagnostics import Code, Places
from controller.core.syntax import complaint
from controller.core.yaml import read
from tests.core.marked import place, unmarked

INDENTATION = "look at the indentation of this line and of the one before"
QUOTE = ("the closing quote is missing", "close the text that begins here with the same quote")
BRACKET = ("the closing bracket is missing", "close what begins here with ] or }")
NO_VALUE = ("a value or a closing bracket is missing", "look for a `[` or `{` that nothing closes")
NO_COLON = ("this line is no `key: value`", "a `:` and a space are missing, or a quote before it")
NO_KEY = ("a key was expected here", f"{INDENTATION}; a text after a closing quote also reads like this")

CASES = {
    "a colon in a text": (
        "a: b⟦:⟧ c\n",
        "a `:` cannot stand here",
        f"put a text that holds `: ` into quotes; otherwise {INDENTATION}",
    ),
    "a key indented under a text": (
        "a: b\n  c⟦:⟧ d\n",
        "a `:` cannot stand here",
        f"put a text that holds `: ` into quotes; otherwise {INDENTATION}",
    ),
    "a line without a colon": ("a: 1\n⟦b⟧\nc: 2\n", *NO_COLON),
    "a key without a space": ("a: 1\n⟦b⟧:2\n", *NO_COLON),
    "a quote that nothing closes": ("a: ⟦'⟧b\nc: d\n", *QUOTE),
    "a double quote that nothing closes": ('a: ⟦"⟧b\nc: d\n', *QUOTE),
    "a quote that ends with its document": ("a: ⟦'⟧b\n---\nc: d'\n", *QUOTE),
    "a brace that nothing closes": ("a: ⟦{⟧b\nc: d\n", *BRACKET),
    "a bracket that nothing closes": ("a: ⟦[⟧b\nc: d\n", *BRACKET),
    "a bracket before the end": ("a: [b,\n⟦⟧", *NO_VALUE),
    "a bracket before a document": ("a: [\n⟦-⟧--\nb\n", *NO_VALUE),
    "two commas": ("a: {b: 1,⟦,⟧ c: 2}\n", *NO_VALUE),
    "a text behind quotes": ('a: "b" ⟦c⟧\n', *NO_KEY),
    "a key indented too little": ("a:\n    b: 1\n  ⟦c⟧: 2\n", *NO_KEY),
    "a list in a mapping": ("a: 1\n⟦-⟧ b\n", *NO_KEY),
    "a key beside a list": (
        "- a\n⟦b⟧: 1\n",
        "a `- ` was expected here, as for the other members of the list",
        INDENTATION,
    ),
    "a list behind a key": ("a: ⟦-⟧ b\n", "a list member cannot begin here", "put the `- ` on a line of its own"),
    "a second document": (
        "{a: 1}\n⟦b⟧: 2\n",
        "the document ended before this line",
        "separate documents with a line `---`",
    ),
    "an unknown escape": (
        'a: "b⟦\\⟧d"\n',
        "this escape is not known",
        r"in double quotes a backslash is written \\; in single quotes it stands for itself",
    ),
    "a tab": ("a:\n⟦\t⟧b: 1\n", "a tab cannot stand here", "YAML is indented with spaces"),
    "an at": ("a: ⟦@⟧b\n", "a plain text cannot begin with @", "put it into quotes"),
    "a backtick": ("a: ⟦`⟧b\n", "a plain text cannot begin with `", "put it into quotes"),
    "a percent": ("a: ⟦%⟧b\n", "a plain text cannot begin with %", "put it into quotes"),
    "what libyaml says itself": ("⟦%⟧YAML 3.0\n---\na\n", "found incompatible YAML document", None),
    "what libyaml says of a construct": (
        "a: &⟦ ⟧b\n",
        "did not find expected alphabetic or numeric character while scanning an anchor",
        None,
    ),
}


@pytest.mark.parametrize(("text", "message", "hint"), CASES.values(), ids=CASES.keys())
def test_a_complaint_of_libyaml(text, message, hint):
    plain, places = unmarked(text)
    (found,) = read("f.yaml", plain.encode()).diagnostics
    assert (found.code, found.message, found.hint) == (Code.YAML_SYNTAX, message, hint)
    assert [place(found)] == places


@pytest.mark.parametrize("error", [pyyaml.YAMLError("strange"), pyyaml.MarkedYAMLError(problem="strange")])
def test_a_complaint_without_a_place_is_about_the_file(error):
    found = complaint(error, "a", Places("f", "a"))
    assert str(found.at) == "f:1:1"
    assert found.message == "this file is not YAML: strange"
