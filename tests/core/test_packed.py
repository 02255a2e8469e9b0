"""What is held packed is the same as what it was made of, whoever asks and however often."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.live import HeldRevision, HeldService, LiveService, Revision
from controller.core.packed import Packed

RECORDED = Path(__file__).parents[1] / "data" / "recorded"
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(wire=st.dictionaries(st.text(max_size=5), VALUES, max_size=4), name=st.text(max_size=5))
def test_it_is_the_mapping_that_it_was_made_of(wire, name):
    packed = Packed.of(wire)
    assert packed == wire
    assert wire == packed
    assert Packed.of(packed) is packed
    assert dict(packed.items()) == wire
    assert (list(packed), list(packed.keys()), list(packed.values())) == (list(wire), list(wire), list(wire.values()))
    assert (len(packed), name in packed, packed.get(name, "no")) == (len(wire), name in wire, wire.get(name, "no"))
    assert packed == Packed.of(dict(reversed(wire.items())))
    assert packed != {**wire, "one more": name}


def test_what_was_opened_is_nobody_elses():
    packed = Packed.of({"tags": [1]})
    packed.opened["tags"].append(2)
    packed["tags"].append(3)
    assert packed == {"tags": [1]}


def test_what_is_not_there_is_an_error_as_in_a_mapping():
    with pytest.raises(KeyError):
        Packed.of({})["a"]


def answers(member):
    """Members of this name in the recorded answers of real ECS."""
    for path in sorted(RECORDED.rglob("*.json")):
        yield from _named(json.loads(path.read_text(encoding="utf-8")), member)


def _named(value, member):
    match value:
        case dict():
            for name, inner in value.items():
                if name == member:
                    yield from inner if isinstance(inner, list) else [inner]
                yield from _named(inner, member)
        case list():
            for inner in value:
                yield from _named(inner, member)


def public(kind):
    return [name for name in dir(kind) if not name.startswith("_") and name not in ("of", "opened", "wire")]


def as_on_the_wire(value):
    """What was recorded through the AWS CLI, which writes times as text: on the wire they are numbers."""
    match value:
        case dict():
            return {
                name: datetime.fromisoformat(one).timestamp() if name.endswith("At") else as_on_the_wire(one)
                for name, one in value.items()
            }
        case list():
            return [as_on_the_wire(one) for one in value]
        case _:
            return value


def test_a_held_service_answers_as_the_service_does():
    found = [one for one in answers("services") if isinstance(one, dict) and "serviceName" in one]
    services = [LiveService(as_on_the_wire(one)) for one in found]
    assert len(services) > 5
    for service in services:
        held = HeldService.of(service)
        assert held.opened == service
        assert {name: getattr(held, name) for name in public(LiveService)} == {
            name: getattr(service, name) for name in public(LiveService)
        }


def test_a_held_revision_answers_as_the_revision_does():
    wires = [one for one in answers("taskDefinition") if isinstance(one, dict) and "taskDefinitionArn" in one]
    assert len(wires) > 5
    for wire in wires:
        revision = Revision(wire, {"team": "nlp"})
        held = HeldRevision.of(revision)
        assert held.opened == revision
        assert (held.arn, held.active, held.tags) == (revision.arn, revision.active, revision.tags)
