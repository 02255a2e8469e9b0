"""Whether one container instance satisfies an expression: True, False, or None where nobody can say.

Decides: the three-valued answer. Unknown (`None`) is what AWS leaves undocumented or the facts leave open: both
readings of a mixed `and`/`or` chain differ, a regular expression fits a part of the value but not the whole, `!=` on an
attribute that the instance does not have, `<` on values that compare one way as numbers and another way as text.
Neighbours: `syntax` (the tree).
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from controller.core.placement.syntax import (
    ATTRIBUTE,
    VERSION,
    And,
    Comparison,
    Expression,
    Mixed,
    Not,
    Op,
    Or,
    instant,
    tree,
    version,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one container instance. `None` means not known; an attribute without a value has `None`."""

    attributes: Mapping[str, str | None]
    agent_connected: bool | None = None
    agent_version: str | None = None
    ec2_instance_id: str | None = None
    registered_at: float | None = None
    """Epoch seconds."""
    running_tasks: int | None = None
    task_groups: frozenset[str] | None = None
    """The groups (`service:web`, `family:job`) of the tasks on the instance."""
    partial: bool = False
    """Whether the instance may have attributes that are not named here."""


_ORDERINGS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.LT: operator.lt,
    Op.LE: operator.le,
}


def evaluate(expression: Expression | str, facts: Facts) -> bool | None:
    """Whether an instance with these facts satisfies the expression; None where AWS's rules or the facts do not say.

    Raises:
        ExpressionError: a text does not parse.
    """
    return _evaluate(tree(expression), facts)


def _evaluate(expression: Expression, facts: Facts) -> bool | None:
    match expression:
        case Comparison():
            return _compare(expression, facts)
        case Not():
            return _negate(_evaluate(expression.operand, facts))
        case And():
            return _all(_evaluate(operand, facts) for operand in expression.operands)
        case Or():
            return _any(_evaluate(operand, facts) for operand in expression.operands)
        case Mixed():
            return _both_readings(expression, [_evaluate(operand, facts) for operand in expression.operands])
        case _:
            assert_never(expression)


def _negate(value: bool | None) -> bool | None:
    return None if value is None else not value


def _all(values: Iterable[bool | None]) -> bool | None:
    """Kleene's conjunction: one False decides, otherwise one unknown makes the whole unknown."""
    seen = set(values)
    return False if False in seen else (None if None in seen else True)


def _any(values: Iterable[bool | None]) -> bool | None:
    seen = set(values)
    return True if True in seen else (None if None in seen else False)


def _both_readings(expression: Mixed, values: list[bool | None]) -> bool | None:
    """Read once with `and` binding tighter and once from left to right; unknown where the two readings differ."""
    groups: list[list[bool | None]] = [[values[0]]]
    running = values[0]
    for word, value in zip(expression.words, values[1:], strict=True):
        if word == "and":
            groups[-1].append(value)
            running = _all((running, value))
        else:
            groups.append([value])
            running = _any((running, value))
    tight = _any([_all(group) for group in groups])
    return tight if tight == running else None


def _compare(comparison: Comparison, facts: Facts) -> bool | None:
    match comparison.subject:
        case "agentConnected":
            connected = facts.agent_connected
            return _text(comparison, None if connected is None else str(connected).lower())
        case "agentVersion":
            if facts.agent_version is None or not VERSION.fullmatch(facts.agent_version):
                return None
            return _ordered(comparison.op, version(facts.agent_version), version(comparison.values[0]))
        case "ec2InstanceId":
            return _text(comparison, facts.ec2_instance_id)
        case "registeredAt":
            since = instant(comparison.values[0])
            if facts.registered_at is None or since is None:
                return None
            return _ordered(comparison.op, facts.registered_at, since)
        case "runningTasksCount":
            count = facts.running_tasks
            return None if count is None else _ordered(comparison.op, count, int(comparison.values[0]))
        case "task:group":
            return _groups(comparison, facts.task_groups)
        case _ if facts.partial and comparison.subject.removeprefix(ATTRIBUTE) not in facts.attributes:
            return None
        case _:
            return _attribute(comparison, facts.attributes)


def _attribute(comparison: Comparison, attributes: Mapping[str, str | None]) -> bool | None:
    name = comparison.subject.removeprefix(ATTRIBUTE)
    match comparison.op:
        case Op.EXISTS:
            return name in attributes
        case Op.NOT_EXISTS:
            return name not in attributes
        case Op.GT | Op.GE | Op.LT | Op.LE:
            live = attributes.get(name)
            return None if live is None else _number_or_text(comparison.op, live, comparison.values[0])
        case Op.EQ | Op.IN | Op.MATCHES:
            live = attributes.get(name)
            return False if live is None else _text(comparison, live)
        case Op.NE | Op.NOT_IN | Op.NOT_MATCHES:
            return _text(comparison, attributes.get(name))
        case _:
            assert_never(comparison.op)


def _groups(comparison: Comparison, groups: frozenset[str] | None) -> bool | None:
    """An instance has many groups: the positive operators ask for one that fits, the negative are not documented."""
    if groups is None:
        return None
    match comparison.op:
        case Op.EXISTS:
            return bool(groups)
        case Op.NOT_EXISTS:
            return not groups
        case Op.EQ | Op.IN | Op.MATCHES:
            return _any([_text(comparison, group) for group in groups])
        case _:
            answers = {_text(comparison, group) for group in groups}
            return answers.pop() if len(answers) == 1 else None


def _text(comparison: Comparison, live: str | None) -> bool | None:
    if live is None:
        return None
    match comparison.op:
        case Op.EQ:
            return live == comparison.values[0]
        case Op.NE:
            return live != comparison.values[0]
        case Op.IN:
            return live in comparison.values
        case Op.NOT_IN:
            return live not in comparison.values
        case Op.MATCHES:
            return _matches(comparison.values[0], live)
        case Op.NOT_MATCHES:
            return _negate(_matches(comparison.values[0], live))
        case _:
            return None


def _matches(pattern: str, live: str) -> bool | None:
    """Unknown where "the whole value" and "somewhere in it" differ, or where the Java pattern is none of Python's."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return None
    whole = compiled.fullmatch(live) is not None
    return whole if whole == (compiled.search(live) is not None) else None


def _number_or_text(op: Op, live: str, value: str) -> bool | None:
    """AWS does not say how `>` compares attributes: as text, or as numbers. Known only where both agree."""
    as_text = _ordered(op, live, value)
    try:
        as_numbers = _ordered(op, float(live), float(value))
    except ValueError:
        return None
    return as_text if as_text == as_numbers else None


def _ordered(op: Op, live: Any, value: Any) -> bool:
    return _ORDERINGS[op](live, value)
