"""What the simulated containers say, and the part of CloudWatch Logs by which it is read.

A container whose definition names the `awslogs` driver with a group and a stream prefix writes a few lines into the
stream `prefix/container/task-id` (ECS developer guide, "awslogs-stream-prefix"): that it begins, what `hl-smi` prints,
what it dies of, that it was told to stop. Groups come into being with the first line, as with `awslogs-create-group`.
Streams outlive their tasks. Other groups are not known here: the HTTP front asks moto for those. Neighbours: `tasks`
(tells), `server` and `inprocess` (ask).
"""

from collections.abc import Iterator, Mapping

from controller.sandbox.containers import definition_of
from controller.sandbox.errors import EcsError, invalid
from controller.sandbox.images import is_smoke_test
from controller.sandbox.wire import Wire, present
from controller.sandbox.world import Task, World

TARGET = "Logs_20140328."
PAGE = 10_000
"""Events of a page, unless fewer are asked for. Source: CloudWatch Logs API, GetLogEvents."""
STREAMS = 50
"""Streams of a page of DescribeLogStreams, which is also the most that can be asked for. Source: the same."""

HL_SMI = (
    "+-----------------------------------------------------------------------------+",
    "| HL-SMI Version:                              hl-1.11.0-fw-45.1.0.0          |",
    "| Driver Version:                                     1.11.0-e6eb0fd          |",
    "|-------------------------------+----------------------+----------------------+",
    "| AIP  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncor-Events|",
    "|===============================+======================+======================|",
)


def say(world: World, task: Task, container: str, *texts: str) -> None:
    """A container of a task writes lines, if it has somewhere to write them to."""
    place = _place(world, task, container)
    if place is not None and texts:
        lines = tuple((int(world.now * 1000), text) for text in texts)
        world.logs[place] = (*world.logs.get(place, ()), *lines)


def begins(world: World, task: Task, container: str) -> None:
    """A container runs."""
    definition = definition_of(world, task, container)
    say(world, task, container, f"{container} begins: {definition['image']}")
    if is_smoke_test(definition) and task.instance is not None:
        say(world, task, container, *_table(world.instances[task.instance].cards))


def get_events(world: World, params: Wire) -> Wire:
    """GetLogEvents: a page of a stream; the token of its end comes back unchanged where nothing is new."""
    lines = _lines(world, params)
    since, until = params.get("startTime", 0), params.get("endTime", float("inf"))
    chosen = [number for number, (at, _) in enumerate(lines) if since <= at < until]
    limit = min(params.get("limit", PAGE), PAGE)
    way, _, text = params.get("nextToken", "").partition("/")
    if params.get("nextToken") and (way not in ("f", "b") or not text.isdigit()):
        raise EcsError("InvalidParameterException", "The specified nextToken is invalid.")
    if way == "f":
        page = [number for number in chosen if number >= int(text)][:limit]
    elif way == "b":
        page = [number for number in chosen if number < int(text)][-limit:]
    else:
        page = chosen[:limit] if params.get("startFromHead") else chosen[-limit:]
    end = page[-1] + 1 if page else int(text) if text else len(lines)
    begin = page[0] if page else int(text) if text else 0
    return {
        "events": [
            {"timestamp": at, "message": message, "ingestionTime": at} for at, message in (lines[one] for one in page)
        ],
        "nextForwardToken": f"f/{end}",
        "nextBackwardToken": f"b/{begin}",
    }


def describe_streams(world: World, params: Wire) -> Wire:
    """DescribeLogStreams: of one group, by name, or by the time of the last event."""
    prefix, by_time = params.get("logStreamNamePrefix"), params.get("orderBy") == "LastEventTime"
    if prefix is not None and by_time:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    found = [
        (stream, lines)
        for (group, stream), lines in world.logs.items()
        if group == _group(world, params) and stream.startswith(prefix or "")
    ]
    found.sort(
        key=lambda one: (one[1][-1][0], one[0]) if by_time else (0, one[0]), reverse=params.get("descending", False)
    )
    start = int(params.get("nextToken", "0"))
    end = start + min(params.get("limit", STREAMS), STREAMS)
    return present(
        logStreams=[
            {
                "logStreamName": stream,
                "creationTime": lines[0][0],
                "firstEventTimestamp": lines[0][0],
                "lastEventTimestamp": lines[-1][0],
                "storedBytes": 0,
            }
            for stream, lines in found[start:end]
        ],
        nextToken=str(end) if end < len(found) else None,
    )


OPERATIONS = {"GetLogEvents": get_events, "DescribeLogStreams": describe_streams}


def operation(headers: Mapping[str, str]) -> str | None:
    """The operation of a request for CloudWatch Logs; None where it is for another service."""
    target = headers.get("X-Amz-Target", "")
    return target.removeprefix(TARGET) if target.startswith(TARGET) else None


def is_ours(world: World, operation: str, params: Mapping[str, object]) -> bool:
    """Whether the sandbox itself answers: it knows the call, and some container has written to the group."""
    return operation in OPERATIONS and any(group == params.get("logGroupName") for group, _ in world.logs)


def _lines(world: World, params: Wire) -> tuple[tuple[int, str], ...]:
    place = _group(world, params), params["logStreamName"]
    if place not in world.logs:
        raise EcsError("ResourceNotFoundException", "The specified log stream does not exist.")
    return world.logs[place]


def _group(world: World, params: Wire) -> str:
    name: str = params["logGroupName"]
    if not any(group == name for group, _ in world.logs):
        raise EcsError("ResourceNotFoundException", "The specified log group does not exist.")
    return name


def _place(world: World, task: Task, container: str) -> tuple[str, str] | None:
    """Group and stream of a container; None where it logs elsewhere."""
    logging = definition_of(world, task, container).get("logConfiguration") or {}
    options = logging.get("options") or {}
    group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
    if logging.get("logDriver") != "awslogs" or not group or not prefix:
        return None
    return group, f"{prefix}/{container}/{task.arn.rpartition('/')[2]}"


def _table(cards: int) -> Iterator[str]:
    if not cards:
        yield "hl-smi: no Habana device is visible"
        return
    yield from HL_SMI
    for card in range(cards):
        yield f"|   {card}  HL-205              N/A  | 0000:{0x10 + card:02x}:1d.0     N/A |                   0  |"
    yield HL_SMI[0]
