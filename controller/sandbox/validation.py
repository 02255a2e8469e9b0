"""What ECS refuses before it looks at its state: shapes, names, tags, placement rules, percentages.

Shapes come from botocore's own input models; rules and texts from the API reference, the quotas page and errors that
users quote. Refuses with ECS's codes; never repairs. Neighbours: `taskdefinitions`, `services`, `runtask`.
"""

import functools
import re

from controller.core.placement import Expression, ExpressionError, parse
from controller.sandbox.errors import client, invalid
from controller.sandbox.shapes import input_shape, problems
from controller.sandbox.wire import Wire

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TAG = re.compile(r"[\w\s+\-=.:/@]*")


def check_input(operation: str, params: Wire) -> None:
    """Refuse members that the operation does not know, lacks or cannot read.

    Raises:
        EcsError: InvalidParameterException naming every problem.
    """
    found = list(problems(input_shape(operation), params))
    if found:
        raise invalid("; ".join(found))


def check_tags(tags: list[Wire] | None) -> None:
    """Tags of a request (Tag in the ECS API reference; 50 per resource in the quotas).

    Raises:
        EcsError: InvalidParameterException.
    """
    if tags is None:
        return
    if not tags:
        raise invalid("Tags can not be empty.")
    if len(tags) > 50:
        raise invalid(f"Invalid number of tags: a resource can have at most 50, found {len(tags)}.")
    keys = [tag.get("key") for tag in tags]
    if len(set(keys)) < len(keys):
        raise invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    for tag in tags:
        key, value = tag.get("key") or "", tag.get("value") or ""
        if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key):
            raise invalid(f"Invalid tag key: '{key}'.")
        if len(value) > 256 or not _TAG.fullmatch(value):
            raise invalid(f"Invalid tag value for the key '{key}'.")
        if key.lower().startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")


def check_name(value: str, what: str) -> None:
    """Names of clusters, services and families: up to 255 letters, digits, hyphens and underscores.

    Raises:
        EcsError: InvalidParameterException.
    """
    if not NAME.fullmatch(value):
        raise invalid(f"{what} must have 1 to 255 letters, numbers, hyphens and underscores: '{value}'.")


def constraint_expressions(constraints: list[Wire], *, task_definition: bool = False) -> tuple[Expression, ...]:
    """The parsed `memberOf` expressions of placement constraints.

    Raises:
        EcsError: an unknown type, a missing or wrong expression, more than ten.
    """
    fail = client if task_definition else invalid
    if len(constraints) > 10:
        raise fail("A task can have at most 10 placement constraints.")
    expressions = []
    for constraint in constraints:
        kind, text = constraint.get("type"), constraint.get("expression")
        match kind:
            case "memberOf" if text:
                expressions.append(_expression(text, fail_with_client=task_definition))
            case "memberOf":
                raise fail("The memberOf placement constraint needs an expression.")
            case "distinctInstance" if not task_definition:
                if text:
                    raise fail("The distinctInstance placement constraint takes no expression.")
            case _:
                raise fail(f"Invalid placement constraint type: {kind}.")
    return tuple(expressions)


def _expression(text: str, *, fail_with_client: bool) -> Expression:
    try:
        return _parsed(text)
    except ExpressionError as error:
        message = f"Invalid expression: '{text}': {error}"
        raise (client if fail_with_client else invalid)(message) from error


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Expression:
    return parse(text)


def check_strategies(strategies: list[Wire]) -> None:
    """Placement strategies: at most five; `random` has no field, the others need theirs.

    Raises:
        EcsError: InvalidParameterException.
    """
    if len(strategies) > 5:
        raise invalid("A task can have at most 5 placement strategies.")
    for strategy in strategies:
        kind, field = strategy.get("type"), strategy.get("field") or ""
        match kind:
            case "random":
                fits = not field
            case "binpack":
                fits = field.lower() in ("cpu", "memory")
            case "spread":
                fits = field.lower() in ("instanceid", "host") or field.startswith("attribute:")
            case _:
                fits = False
        if not fits:
            raise invalid(f"Invalid placement strategy: type '{kind}', field '{field}'.")


def check_percentages(configuration: Wire, *, daemon: bool) -> None:
    """The rolling band of a deployment configuration that has every leaf.

    Raises:
        EcsError: InvalidParameterException.
    """
    upper, lower = configuration["maximumPercent"], configuration["minimumHealthyPercent"]
    if lower < 0 or upper < 0:
        raise invalid("maximumPercent and minimumHealthyPercent cannot be negative.")
    if daemon and upper != 100:
        raise invalid("The daemon scheduling strategy does not support a maximumPercent other than 100.")
    if upper < 100:
        raise invalid("maximumPercent cannot be less than 100.")
    if lower == 100 and upper == 100:
        raise invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
    if lower > 100:
        raise invalid("minimumHealthyPercent cannot be greater than 100.")
