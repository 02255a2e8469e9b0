"""The ECS cluster query language: what a `memberOf` expression says, and whether an instance satisfies it.

Decides: the grammar, one canonical spelling, and a three-valued answer. Refuses: an expression that the documented
grammar does not allow, with the column where it stops making sense. What AWS leaves undocumented is answered with
`None` (unknown) instead of a guess.

Grammar: the page "Cluster query language" of the Amazon ECS developer guide. Neighbours: `normalize` (compares
meanings), `policy` (feasibility), the sandbox's scheduler (places only on True).
"""

from controller.core.placement.evaluation import Facts, evaluate
from controller.core.placement.meaning import meaning
from controller.core.placement.syntax import (
    MAX_LENGTH,
    And,
    Comparison,
    Expression,
    ExpressionError,
    Mixed,
    Not,
    Op,
    Or,
    canonical,
    conjunction,
    disjunction,
    parse,
    subjects,
)

__all__ = [
    "MAX_LENGTH",
    "And",
    "Comparison",
    "Expression",
    "ExpressionError",
    "Facts",
    "Mixed",
    "Not",
    "Op",
    "Or",
    "canonical",
    "conjunction",
    "disjunction",
    "evaluate",
    "meaning",
    "parse",
    "subjects",
]
