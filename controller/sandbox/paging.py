"""Pages of a list: sizes, and tokens that say nothing to the caller.

A token remembers the question and the last element given, so that elements which vanish between two pages shift
nothing. Limits: botocore's ECS model (`maxResults` of each operation). Neighbours: every List operation.
"""

import base64
import json
from collections.abc import Sequence
from zlib import crc32

from controller.sandbox.errors import invalid
from controller.sandbox.wire import Wire


def page(
    items: Sequence[str], params: Wire, *, size: int, largest: int = 100, name: str = "maxResults"
) -> tuple[list[str], str | None]:
    """The next `maxResults` items (`size` unless asked) and the token for the rest, if there is a rest.

    Raises:
        EcsError: InvalidParameterException for a size out of range or a token of another question.
    """
    limit = params.get(name, size)
    if not 1 <= limit <= largest:
        raise invalid(f"{name} must be between 1 and {largest}.")
    question = crc32(
        json.dumps({k: v for k, v in params.items() if k not in ("nextToken", name)}, sort_keys=True).encode()
    )
    start = 0
    if (token := params.get("nextToken")) is not None:
        start = _start(items, token, question)
    chosen = list(items[start : start + limit])
    if start + limit >= len(items):
        return chosen, None
    following = json.dumps([question, start + limit, chosen[-1]])
    return chosen, base64.urlsafe_b64encode(following.encode()).decode()


def _start(items: Sequence[str], token: str, question: int) -> int:
    try:
        asked, offset, last = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise invalid("Invalid token.") from error
    if asked != question:
        raise invalid("Invalid token: it belongs to a request with other parameters.")
    return items.index(last) + 1 if last in items else min(int(offset), len(items))


def scattered(arns: list[str]) -> list[str]:
    """ECS lists services, tasks and instances in no order that a caller could rely on: by a hash."""
    return sorted(arns, key=lambda arn: (crc32(arn.encode()), arn))
