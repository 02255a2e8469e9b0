"""The cluster query language as text: parser, tree and canonical spelling.

Decides: which texts are expressions, with the column where a text stops being one, and which texts say the same.
Refuses: to guess the precedence of `and` and `or`, which AWS does not document: a chain that mixes them without
parentheses keeps both readings open (`Mixed`). Neighbours: `evaluation` (the answer for one instance).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never

MAX_LENGTH = 2000
"""Characters in one expression (PlacementConstraint.expression, ECS API reference)."""

MAX_DEPTH = 50
"""Nested parentheses and negations: ours, so that no text can exhaust the stack."""


class ExpressionError(ValueError):
    """The text is not an expression. `column` counts from 1."""

    def __init__(self, message: str, *, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.reason = message
        self.column = column


class Op(StrEnum):
    """A comparison operator in its canonical spelling."""

    EQ = "=="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    MATCHES = "=~"
    NOT_MATCHES = "!~"
    IN = "in"
    NOT_IN = "!in"
    EXISTS = "exists"
    NOT_EXISTS = "!exists"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`subject op values`: no value for `exists`, one for the plain operators, one or more for `in`."""

    subject: str
    op: Op
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """`not (…)`."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """Two or more operands, none of them an `And`."""

    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more operands, none of them an `Or`."""

    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Mixed:
    """`a or b and c` without parentheses, of unknown precedence; `words[i]` stands before operand i + 1."""

    operands: tuple["Expression", ...]
    words: tuple[str, ...]


Expression = Comparison | Not | And | Or | Mixed

_EQUALITY = frozenset({Op.EQ, Op.NE})
_ORDER = _EQUALITY | {Op.GT, Op.GE, Op.LT, Op.LE}
_TEXT = _EQUALITY | {Op.IN, Op.NOT_IN, Op.MATCHES, Op.NOT_MATCHES}
_ALL = frozenset(Op)

_SUBJECTS: Mapping[str, frozenset[Op]] = {
    "agentConnected": _TEXT,
    "agentVersion": _ORDER,
    "ec2InstanceId": _TEXT,
    "registeredAt": _ORDER,
    "runningTasksCount": _ORDER,
    "task:group": _TEXT | {Op.EXISTS, Op.NOT_EXISTS},
}
ATTRIBUTE = "attribute:"
_SPELLINGS: Mapping[str, Op] = {
    **{op.value: op for op in Op},
    "equals": Op.EQ,
    "not_equals": Op.NE,
    "greater_than": Op.GT,
    "greater_than_equal": Op.GE,
    "less_than": Op.LT,
    "less_than_equal": Op.LE,
    "matches": Op.MATCHES,
    "not_matches": Op.NOT_MATCHES,
    "not_in": Op.NOT_IN,
    "not_exists": Op.NOT_EXISTS,
}
_OPERATOR = re.compile(
    r"(?:==|!=|>=|<=|=~|!~|>|<)|(?:!in|!exists|not_equals|not_matches|not_exists|not_in|equals|matches|exists|in"
    r"|greater_than_equal|greater_than|less_than_equal|less_than)(?![A-Za-z0-9_.:/\\-])"
)
_WORD = re.compile(r"(?:and|or)(?![A-Za-z0-9_.:/\\-])|&&|\|\|")
_NOT = re.compile(r"not(?![A-Za-z0-9_.:/\\-])|!")
_SUBJECT = re.compile(r"[A-Za-z0-9_.:/\\-]+")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
_BARE = re.compile(r"(?:(?!&&|\|\|)[^\s()',])+")
_BARE_IN_LIST = re.compile(r"[^\s()\[\]',]+")
_QUOTED = re.compile(r"'([^']*)'")
_SPACE = re.compile(r"\s*")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*+\\-]+")
VERSION = re.compile(r"\d+(?:\.\d+)*")


def parse(text: str) -> Expression:
    """Read one expression.

    Raises:
        ExpressionError: with the column of the first character that the grammar does not allow.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, this has {len(text)}", column=1)
    parser = _Parser(text)
    expression = parser.chain()
    parser.end()
    return expression


def canonical(expression: "Expression | str") -> str:
    """One spelling for all texts that differ only in blanks, redundant parentheses, quotes or operator aliases.

    Raises:
        ExpressionError: a text does not parse.
    """
    return _spell(tree(expression))


def subjects(expression: "Expression | str") -> frozenset[str]:
    """Every subject the expression asks about, such as `attribute:ecs.instance-type`.

    Raises:
        ExpressionError: a text does not parse.
    """
    root = tree(expression)
    match root:
        case Comparison():
            return frozenset({root.subject})
        case Not():
            return subjects(root.operand)
        case And() | Or() | Mixed():
            return frozenset().union(*(subjects(operand) for operand in root.operands))
        case _:
            assert_never(root)


def tree(expression: "Expression | str") -> Expression:
    """The tree of a text, or the tree itself."""
    return parse(expression) if isinstance(expression, str) else expression


class _Parser:
    """A recursive descent over the text; `position` is the next character to read."""

    __slots__ = ("depth", "position", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0

    def chain(self) -> Expression:
        """Operands between `and` and `or`, up to a closing parenthesis or the end."""
        operands = [self.unary()]
        words: list[str] = []
        while (word := self.take(_WORD)) is not None:
            words.append("and" if word in ("and", "&&") else "or")
            operands.append(self.unary())
        if not words:
            return operands[0]
        if len(set(words)) > 1:
            return Mixed(tuple(operands), tuple(words))
        return conjunction(operands) if words[0] == "and" else disjunction(operands)

    def unary(self) -> Expression:
        if self.take(_NOT) is not None:
            return Not(self.nested(self.unary))
        if self.symbol("("):
            inner = self.nested(self.chain)
            if not self.symbol(")"):
                raise self.error("expected `)`, `and` or `or`")
            return inner
        return self.comparison()

    def nested(self, part: Callable[[], Expression]) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} levels of parentheses and negations")
        inner = part()
        self.depth -= 1
        return inner

    def comparison(self) -> Comparison:
        self.skip()
        start = self.position
        subject = self.take(_SUBJECT)
        if subject is None:
            raise self.error("expected a subject such as `attribute:ecs.instance-type`")
        allowed = self.allowed(subject, start)
        self.skip()
        at = self.position
        word = self.take(_OPERATOR)
        if word is None:
            raise self.error(f"expected an operator after `{subject}`")
        op = _SPELLINGS[word]
        if op not in allowed:
            raise ExpressionError(f"`{subject}` does not take `{word}`", column=at + 1)
        values = self.values(op)
        for value, column in values:
            self.check(subject, op, value, column)
        return Comparison(subject, op, tuple(value for value, _ in values))

    def allowed(self, subject: str, start: int) -> frozenset[Op]:
        if subject in _SUBJECTS:
            return _SUBJECTS[subject]
        if subject.startswith(ATTRIBUTE):
            if not _ATTRIBUTE_NAME.fullmatch(subject.removeprefix(ATTRIBUTE)):
                raise ExpressionError(f"`{subject}` names no attribute", column=start + 1)
            return _ALL
        known = ", ".join([*sorted(_SUBJECTS), "attribute:NAME"])
        raise ExpressionError(f"unknown subject `{subject}`; known are {known}", column=start + 1)

    def values(self, op: Op) -> list[tuple[str, int]]:
        """The values of the operator, each with its column."""
        if op in (Op.EXISTS, Op.NOT_EXISTS):
            return []
        if op not in (Op.IN, Op.NOT_IN):
            return [self.value(_BARE)]
        if not self.symbol("["):
            raise self.error(f"expected `[` after `{op}`")
        values = [self.value(_BARE_IN_LIST)]
        while self.symbol(","):
            values.append(self.value(_BARE_IN_LIST))
        if not self.symbol("]"):
            raise self.error("expected `,` or `]`")
        return values

    def value(self, bare: re.Pattern[str]) -> tuple[str, int]:
        self.skip()
        column = self.position + 1
        if (quoted := _QUOTED.match(self.text, self.position)) is not None:
            self.position = quoted.end()
            return quoted[1], column
        token = self.take(bare)
        if token is None:
            raise self.error("expected a value")
        return token, column

    def check(self, subject: str, op: Op, value: str, column: int) -> None:
        """Refuse a value that the subject can never have."""
        good = True
        if op not in (Op.MATCHES, Op.NOT_MATCHES):
            match subject:
                case "agentConnected":
                    good = value in ("true", "false")
                case "agentVersion":
                    good = VERSION.fullmatch(value) is not None
                case "runningTasksCount":
                    good = value.isascii() and value.isdigit()
                case "registeredAt":
                    good = instant(value) is not None
                case _:
                    good = bool(value)
        if not good:
            raise ExpressionError(f"`{subject}` cannot be compared with `{value}`", column=column)

    def take(self, pattern: re.Pattern[str]) -> str | None:
        self.skip()
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found[0]

    def symbol(self, character: str) -> bool:
        self.skip()
        if not self.text.startswith(character, self.position):
            return False
        self.position += 1
        return True

    def skip(self) -> None:
        blank = _SPACE.match(self.text, self.position)
        self.position = blank.end() if blank is not None else self.position

    def end(self) -> None:
        self.skip()
        if self.position < len(self.text):
            raise self.error("expected `and`, `or` or the end")

    def error(self, message: str) -> ExpressionError:
        found = self.text[self.position : self.position + 12] or "the end"
        return ExpressionError(f"{message}, found `{found}`", column=self.position + 1)


def conjunction(operands: Iterable[Expression]) -> Expression:
    """All operands together. Nested conjunctions are opened: the grouping of one operator carries no meaning."""
    flat = [inner for operand in operands for inner in (operand.operands if isinstance(operand, And) else (operand,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def disjunction(operands: Iterable[Expression]) -> Expression:
    """Any of the operands. Nested disjunctions are opened."""
    flat = [inner for operand in operands for inner in (operand.operands if isinstance(operand, Or) else (operand,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def _spell(expression: Expression) -> str:
    match expression:
        case Comparison():
            return _spell_comparison(expression)
        case Not():
            return f"not ({_spell(expression.operand)})"
        case And():
            return " and ".join(_operand(operand) for operand in expression.operands)
        case Or():
            return " or ".join(_operand(operand) for operand in expression.operands)
        case Mixed():
            head, *rest = (_operand(operand) for operand in expression.operands)
            return head + "".join(f" {w} {o}" for w, o in zip(expression.words, rest, strict=True))
        case _:
            assert_never(expression)


def _operand(expression: Expression) -> str:
    text = _spell(expression)
    return f"({text})" if isinstance(expression, And | Or | Mixed) else text


def _spell_comparison(comparison: Comparison) -> str:
    values = [value if _PLAIN.fullmatch(value) else f"'{value}'" for value in comparison.values]
    match comparison.op:
        case Op.EXISTS | Op.NOT_EXISTS:
            return f"{comparison.subject} {comparison.op}"
        case Op.IN | Op.NOT_IN:
            return f"{comparison.subject} {comparison.op} [{', '.join(values)}]"
        case _:
            return f"{comparison.subject} {comparison.op} {values[0]}"


def version(text: str) -> tuple[int, ...]:
    """`1.14.0` and `1.14` are one version: trailing zeros say nothing."""
    numbers = [int(part) for part in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def instant(text: str) -> float | None:
    """Epoch seconds of a date or time; one without a zone is read as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
