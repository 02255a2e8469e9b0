"""What is live and what is asked for, whole, as one unified diff per workload: `--once --full`.

The changes of the plan, drawn with everything that stands around them: the live requests in their canonical form, read
like a spec (lists without order stand by their keys, defaults are filled in), and beside them the same with the changes
made. So the diff can say neither more nor less than the plan does; what is ignored or left to others stays as it is
live. Secrets are masked with a few digits of their hash: that one changes shows, its value does not. Neighbours:
`core.compare` (finds the changes), `core.importing.writer` (the text), `text` (the plan itself).
"""

import copy
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from controller.core.changes import Change, telling_name
from controller.core.compare import SERVICE, content, service_members
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag
from controller.core.importing.arrangement import natural, place
from controller.core.importing.writer import write
from controller.core.live import Observation
from controller.core.normalize import Items, NotManaged, normalize
from controller.core.pass_report import PassReport, WorkloadReport
from controller.core.path import Item, Path
from controller.core.redact import redact
from controller.core.render import Rendered
from controller.core.service_tags import OUR_OWN
from controller.report.text import clean

CONTEXT: Final = 3
"""Lines around a difference."""

_BAGS: Final = frozenset(name for rows in SHAPES.values() for name, row in rows.items() if isinstance(row, Bag))
_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_KEY: Final = re.compile(r"""(?P<indent> *)(?P<key>"(?:[^"\\]|\\.)*"|[^\s"'#|-][^:]*?):(?: |$)""")
_COLOURS: Final = {"---": "1", "+++": "1", "@@": "36", "-": "31", "+": "32"}


def unified_text(report: PassReport, *, colour: bool = False) -> str:
    """The diffs of all workloads that differ, separated by blank lines; empty where none does."""
    return "\n".join(diff for one in report.workloads if (diff := unified(one, colour=colour)))


def unified(workload: WorkloadReport, *, colour: bool = False) -> str:
    """The diff of one workload: from what is live to what the spec asks for. Empty where nothing differs."""
    if workload.compared is None or (workload.done and not workload.plan.changes):
        return ""
    rendered, observation = workload.compared
    before, after = (_lines(side) for side in sides(rendered, observation, workload.plan.changes))
    live, spec = f"live  {clean(str(workload.key))}", f"spec  {clean(str(workload.at or workload.key))}"
    drawn = difflib.unified_diff(before, after, live, spec, n=CONTEXT, lineterm="")
    return "".join(f"{_painted(line, colour=colour)}\n" for line in _with_headings(drawn, before, after))


def sides(
    rendered: Rendered, observation: Observation, changes: Iterable[Change]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is live, and what it would be: as plain values that may be shown, lists without order by their keys."""
    service, revision = observation.service, observation.revision
    if service is None:
        canonical = rendered.canonical
        return {}, _ordered(_shown_request(canonical.task_definition, canonical.service, rendered.tags))
    task_definition = content(revision.wire).members if revision else {}
    live = _shown_request(task_definition, normalize(SERVICE, service_members(service)).members, service.tags)
    wanted = copy.deepcopy(live)
    for one in changes:
        _set(live, one.path, one.live)
        _set(wanted, one.path, one.spec)
    return _ordered(live), _ordered(wanted)


def _shown_request(task_definition: Any, service: Any, tags: dict[str, str]) -> dict[str, Any]:
    told = {key: value for key, value in tags.items() if key not in OUR_OWN}
    whole = {"taskDefinition": task_definition, "service": {**service, "tags": Items(dict(told))}}
    return _shown(whole, ()) or {}


def _shown(value: Any, path: Path) -> Any:
    """A canonical value as it may be shown; None where it says nothing."""
    match value:
        case Items(by_key):
            members = {key: _shown(member, (*path, Item(key))) for key, member in by_key.items()}
            return {key: member for key, member in members.items() if member is not None} or None
        case dict():
            members = {name: _shown(member, (*path, name)) for name, member in value.items()}
            return {name: member for name, member in members.items() if member is not None} or None
        case NotManaged():
            return None
        case tuple():
            plain = [_shown(member, ()) if isinstance(member, dict) else member for member in value]
            return redact(plain, name=telling_name(path))
        case _:
            return redact(value, name=telling_name(path))


def _set(tree: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at a path, or take away what is there; what becomes empty by that goes too."""
    names = [part.key if isinstance(part, Item) else str(part) for part in path]
    trail = [tree]
    for name in names[:-1]:
        inside = trail[-1].setdefault(name, {})
        if not isinstance(inside, dict):
            inside = trail[-1][name] = {}
        trail.append(inside)
    if value is None:
        trail[-1].pop(names[-1], None)
    else:
        trail[-1][names[-1]] = value
    for parent, name in reversed(list(zip(trail, names, strict=False))):
        if parent.get(name) == {}:
            del parent[name]


def _ordered(tree: dict[str, Any]) -> dict[str, Any]:
    """Members in the order of a spec, wherever they came from; a list of scalars without an order is a list again."""
    names = sorted(tree, key=lambda name: (*place(name, tree[name])[:2], natural(name)))
    return {name: _arranged(name, tree[name]) for name in names}


def _arranged(name: str, value: Any) -> Any:
    match value:
        case dict():
            inside = _ordered(value)
            return list(inside.values()) if name in _BAGS else inside
        case _:
            return value


# Text
# --------------------------------------------------------------------------------------------------------------------


def _lines(tree: dict[str, Any]) -> list[str]:
    return [clean(line) for line in write(tree, spread=True).splitlines()] if tree else []


def _with_headings(drawn: Iterator[str], before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """The lines of a diff, each hunk with the names that lead to its first line."""
    for line in drawn:
        hunk = _HUNK.fullmatch(line)
        if hunk is None:
            yield line
            continue
        lines, first = (after, int(hunk[3])) if int(hunk[4] or 1) else (before, int(hunk[1]))
        heading = _heading(lines, first - 1)
        yield f"{line} {heading}" if heading else line


def _heading(lines: Sequence[str], index: int) -> str:
    names: list[str] = []
    depth = len(lines[index]) - len(lines[index].lstrip(" ")) if index < len(lines) else 0
    for line in reversed(lines[:index]):
        found = _KEY.match(line)
        if found is not None and len(found["indent"]) < depth:
            names.append(found["key"])
            depth = len(found["indent"])
    return ".".join(reversed(names))


def _painted(line: str, *, colour: bool) -> str:
    style = next((code for start, code in _COLOURS.items() if line.startswith(start)), None) if colour else None
    return f"\x1b[{style}m{line}\x1b[0m" if style else line
