"""libyaml's complaints in words: what is wrong, where it began, and what to do.

libyaml stops where it can no longer make sense of a file, which is often lines after the mistake. Where its context
names the beginning (an open bracket, a quote, a line without a colon) the finding points there. Neighbours: `yaml`.
"""

from dataclasses import dataclass
from typing import Final

import yaml

from controller.core.diagnostics import Code, Diagnostic, Places


@dataclass(frozen=True, slots=True)
class _Wording:
    """Our words for a complaint. `at_context`: the mistake is where the construct began, not where libyaml stopped."""

    message: str
    hint: str | None = None
    at_context: bool = False


_QUOTE: Final = _Wording(
    "the closing quote is missing", "close the text that begins here with the same quote", at_context=True
)
_BRACKET: Final = _Wording("the closing bracket is missing", "close what begins here with ] or }", at_context=True)
_INDENTATION: Final = "look at the indentation of this line and of the one before"

_WORDINGS: Final[dict[tuple[str | None, str], _Wording]] = {
    (None, "mapping values are not allowed in this context"): _Wording(
        "a `:` cannot stand here",
        f"put a text that holds `: ` into quotes; otherwise {_INDENTATION}",
    ),
    ("while scanning a simple key", "could not find expected ':'"): _Wording(
        "this line is no `key: value`", "a `:` and a space are missing, or a quote before it", at_context=True
    ),
    ("while scanning a quoted scalar", "found unexpected end of stream"): _QUOTE,
    ("while scanning a quoted scalar", "found unexpected document indicator"): _QUOTE,
    ("while parsing a flow mapping", "did not find expected ',' or '}'"): _BRACKET,
    ("while parsing a flow sequence", "did not find expected ',' or ']'"): _BRACKET,
    ("while parsing a flow node", "did not find expected node content"): _Wording(
        "a value or a closing bracket is missing", "look for a `[` or `{` that nothing closes"
    ),
    ("while parsing a block mapping", "did not find expected key"): _Wording(
        "a key was expected here", f"{_INDENTATION}; a text after a closing quote also reads like this"
    ),
    ("while parsing a block collection", "did not find expected '-' indicator"): _Wording(
        "a `- ` was expected here, as for the other members of the list", _INDENTATION
    ),
    (None, "block sequence entries are not allowed in this context"): _Wording(
        "a list member cannot begin here", "put the `- ` on a line of its own"
    ),
    (None, "did not find expected <document start>"): _Wording(
        "the document ended before this line", "separate documents with a line `---`"
    ),
    ("while parsing a quoted scalar", "found unknown escape character"): _Wording(
        "this escape is not known", r"in double quotes a backslash is written \\; in single quotes it stands for itself"
    ),
}
_STARTS: Final = {
    "\t": ("a tab cannot stand here", "YAML is indented with spaces"),
    "@": ("a plain text cannot begin with @", "put it into quotes"),
    "`": ("a plain text cannot begin with `", "put it into quotes"),
    "%": ("a plain text cannot begin with %", "put it into quotes"),
}


def complaint(error: yaml.YAMLError, text: str, places: Places) -> Diagnostic:
    """What libyaml complains about, as a finding."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Diagnostic(Code.YAML_SYNTAX, f"this file is not YAML: {error}", places.at(0))
    problem, context = error.problem or "this is not YAML", error.context
    at = error.problem_mark.index
    first = text[at : at + 1]
    if problem == "found character that cannot start any token" and first in _STARTS:
        message, hint = _STARTS[first]
        return Diagnostic(Code.YAML_SYNTAX, message, places.at(at), hint=hint)
    wording = _WORDINGS.get((context, problem))
    if wording is None:
        return Diagnostic(Code.YAML_SYNTAX, f"{problem} {context or ''}".rstrip(), places.at(at))
    if wording.at_context and error.context_mark is not None:
        at = error.context_mark.index
    return Diagnostic(Code.YAML_SYNTAX, wording.message, places.at(at), hint=wording.hint)
