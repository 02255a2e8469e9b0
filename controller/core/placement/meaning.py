"""When two placement expressions say the same: one tree for all that differ in nothing but their writing.

Operands of `and` and `or` have no order and say nothing twice, nor do the values of `in`; two negations are none. All
of this holds for unknown answers too. Refuses to go further (De Morgan, `in [x]` for `== x`): ECS documents no algebra,
and a difference that is shown too often is better than one that is hidden. Neighbours: `syntax` (texts and trees).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from controller.core.placement.syntax import (
    And,
    Comparison,
    Expression,
    Mixed,
    Not,
    Or,
    canonical,
    conjunction,
    disjunction,
    tree,
)


def meaning(expression: Expression | str) -> str:
    """One spelling for all expressions that say the same.

    Raises:
        ExpressionError: a text does not parse.
    """
    return canonical(_sorted(tree(expression)))


def _sorted(expression: Expression) -> Expression:
    match expression:
        case Comparison(values=values):
            return replace(expression, values=tuple(sorted(set(values))))
        case Not(operand=operand):
            inner = _sorted(operand)
            return inner.operand if isinstance(inner, Not) else Not(inner)
        case And(operands=operands):
            together = conjunction(map(_sorted, operands))
            return conjunction(_each_once(together.operands)) if isinstance(together, And) else together
        case Or(operands=operands):
            together = disjunction(map(_sorted, operands))
            return disjunction(_each_once(together.operands)) if isinstance(together, Or) else together
        case Mixed(operands=operands):
            return replace(expression, operands=tuple(map(_sorted, operands)))
        case _:
            assert_never(expression)


def _each_once(operands: Iterable[Expression]) -> list[Expression]:
    by_text = {canonical(operand): operand for operand in operands}
    return [by_text[text] for text in sorted(by_text)]
