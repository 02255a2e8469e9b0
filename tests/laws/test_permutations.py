"""Order is meaning in the lists in which ECS says so, and in no other: permuting one of those is one difference,
permuting any other is none.
"""

import itertools
from typing import Any

import pytest

from controller.core.diff import diff
from controller.core.ecs.model import Flag, ListOf, Number, Structure, Text, load
from controller.core.fields import SHAPES
from controller.core.fields.kinds import Bag, Keyed, Ordered
from controller.core.normalize import digest, normalize

MODEL = load()

IN_ORDER = {
    ("ContainerDefinition", "command"): "the words of a command",
    ("ContainerDefinition", "entryPoint"): "the words of a command",
    ("HealthCheck", "command"): "the words of a command",
    ("ContainerDefinition", "environmentFiles"): "processed from the top down (API model)",
    ("ContainerDefinition", "dnsServers"): "asked one after the other (resolv.conf)",
    ("ContainerDefinition", "dnsSearchDomains"): "tried one after the other (resolv.conf)",
    ("Tmpfs", "mountOptions"): "a later option overrides an earlier one (mount)",
    ("CreateServiceRequest", "placementStrategy"): "in the order in which they are performed (developer guide)",
}
"""(shape, list) → why its order is meaning. Written here by hand, from AWS's pages and not from the table."""
OF_ONE = {("ServiceConnectConfiguration", "containerConfigurations")}
"""Structures without a name, of which there is one kind that may stand there once: compared whole."""

LISTS = sorted(
    (shape, name)
    for shape, rows in SHAPES.items()
    for name, row in rows.items()
    if isinstance(row, Keyed | Bag | Ordered)
)


def example(shape: str, number: int) -> Any:
    """The `number`-th value of a shape; different numbers give different values as far as the shape has them."""
    match MODEL.shapes[shape]:
        case Text(enum=words) if words:
            return words[number % len(words)]
        case Text():
            return f"v{number}"
        case Number():
            return number + 1
        case Flag():
            return bool(number % 2)
        case ListOf(of=of):
            return [example(of, number)]
        case Structure(members=members, document=False):
            return {name: example(inner, number) for name, inner in members.items() if _simple(inner)}
        case _:
            return {}


def _simple(shape: str) -> bool:
    return not isinstance(MODEL.shapes[shape], Structure)


def wire(shape: str, name: str, elements: list[Any]) -> dict[str, Any]:
    switches = {"enabled": True, "enable": True}
    members = MODEL.shapes[shape]
    assert isinstance(members, Structure)
    return {**{switch: on for switch, on in switches.items() if switch in members.members}, name: elements}


def elements_of(shape: str, name: str) -> list[Any]:
    members = MODEL.shapes[shape]
    assert isinstance(members, Structure)
    found = MODEL.shapes[members.members[name]]
    assert isinstance(found, ListOf)
    candidates = [example(found.of, number) for number in range(3)]
    return [one for index, one in enumerate(candidates) if one not in candidates[:index]]


def test_the_table_has_order_where_aws_says_so() -> None:
    ordered = {(shape, name) for shape, name in LISTS if isinstance(SHAPES[shape][name], Ordered)}
    assert ordered == set(IN_ORDER) | OF_ONE


@pytest.mark.parametrize(("shape", "name"), LISTS)
def test_permuting_a_list(shape: str, name: str) -> None:
    elements = elements_of(shape, name)
    first = normalize(shape, wire(shape, name, elements))
    assert first.unknown == ()
    for permuted in itertools.permutations(elements):
        other = normalize(shape, wire(shape, name, list(permuted)))
        expected = [(name,)] if (shape, name) in IN_ORDER and list(permuted) != elements else []
        if (shape, name) in OF_ONE:
            continue
        assert [difference.path for difference in diff(first.members, other.members)] == expected
        assert (digest(first.members) == digest(other.members)) is (expected == [])


@pytest.mark.parametrize(("shape", "name"), LISTS)
def test_taking_an_element_away_is_seen(shape: str, name: str) -> None:
    elements = elements_of(shape, name)
    first, fewer = (normalize(shape, wire(shape, name, some)).members for some in (elements, elements[1:]))
    found = diff(first, fewer)
    assert found
    assert all(difference.path[0] == name for difference in found)
