"""What is written reads back, with quotes where they are needed and nowhere else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.core import scalars, yaml
from controller.core.importing.arrangement import arranged
from controller.core.importing.writer import Opaque, write
from controller.core.nodes import Mapping, Node, Scalar, Sequence


def read_back(text: str) -> Any:
    stream = yaml.read("x.yaml", text.encode(errors="surrogatepass"))
    assert stream.diagnostics == (), text
    (document,) = stream.documents
    return texts(document.root)


def texts(node: Node) -> Any:
    """The texts of a tree: what every value is before a schema says what it means."""
    match node:
        case Scalar(text=text):
            assert not (node.plain and scalars.is_null(node)), "it would be no value"
            return text
        case Mapping(entries):
            return {entry.key.text: texts(entry.value) for entry in entries}
        case Sequence(items):
            return [texts(item) for item in items]


any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "null", "~", "yes", "1.10", "a: b", "- a", "# c", "a #b", "{x}", "[x", "&a", "*a", "!t", "%d", "@x", "`x",
     "a\nb", "a\n", "\na", " a", "a ", "a\n\n", "  a\n b\n", "\tx\n y", "x\n\ty\n", "x  \ny", "---", "...", "--- a",
     "<<", "=", "a:", ":a", "a,b", "?", "? a", "'", '"', "it's", 'say "x"', "\\n", "\u202e", "\x07", "\x85", "\ufeff",
     "a\r\nb", "a\u2028b", "é", "日本", "x" * 300]
)  # fmt: skip
values = st.recursive(
    any_text,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(any_text.filter(bool), inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


@given(value=st.dictionaries(any_text.filter(bool), values, min_size=1, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    assert read_back(write(value)) == value


@given(value=values)
def test_a_value_without_a_schema_reads_back_with_its_type(value: Any) -> None:
    wrapped = {"x": {"y": Opaque({"v": [value, 1, 2.5, True, None]})}}
    (document,) = yaml.read("x.yaml", write(wrapped).encode()).documents
    assert scalars.plain_value(document.root) == {"x": {"y": {"v": [value, 1, 2.5, True, None]}}}


@given(comment=any_text)
def test_a_comment_is_one_line(comment: str) -> None:
    assert read_back(write({"a": "b"}, comment=comment)) == {"a": "b"}


def test_texts_are_quoted_exactly_where_the_parser_needs_it() -> None:
    text = write({"a": {"b": {"v": "1.10", "w": "yes", "x": "null", "y": "", "z": "arn:aws:x"}}})
    assert text.splitlines()[2:] == ["    v: 1.10", "    w: yes", '    x: "null"', '    y: ""', "    z: arn:aws:x"]


def test_a_script_is_readable() -> None:
    script = "set -e\nfor i in 1 2; do\n\techo $i\ndone\n"
    assert "|\n" in write({"a": {"command": ["sh", "-c", script]}})
    assert "\t\techo" not in write({"a": script})
    assert read_back(write({"a": {"command": ["sh", "-c", script]}})) == {"a": {"command": ["sh", "-c", script]}}


def test_short_collections_stand_on_one_line() -> None:
    value = {"spec": {"gaudi": {"modules": ["0", "1"]}, "long": ["x" * 30] * 4, "items": [{"a": "1"}, {"b": "2"}]}}
    assert write(value).splitlines() == [
        "spec:",
        "  gaudi: {modules: [0, 1]}",
        "  long:",
        *[f"    - {'x' * 30}"] * 4,
        "  items:",
        "    - {a: 1}",
        "    - {b: 2}",
    ]


def test_members_stand_in_one_order() -> None:
    container = {"command": ["x"], "memory": 1, "image": "i", "name": "n", "cpu": 2, "environment": []}
    (arranged_,) = arranged("RegisterTaskDefinitionRequest", {"containerDefinitions": [container]}).values()
    assert list(arranged_[0]) == ["name", "image", "cpu", "memory", "command", "environment"]
