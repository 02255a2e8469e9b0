"""Finding a value in the tree of a file, and the place that a path leads to."""

import pytest

from controller.core.nodes import Mapping, Scalar, find, locate
from controller.core.path import Item
from controller.core.yaml import read

TEXT = """\
containers:
- name: train
  environment: {LR: 1e-3, "1": one}
  ports:
  - containerPort: 8080
    protocol: tcp
  - {containerPort: 8080, protocol: udp}
  - {containerPort: 9090}
- name: side
  command: [run, --fast, run]
  environment:
  - value: x
    name: LR
  - {name: N, value: y}
constraints:
- {type: memberOf, expression: attribute:rack == r1}
- {type: memberOf, expression: attribute:zone == a}
- {type: distinctInstance}
tags: [{key: a, value: 1}, {key: b, value: 2}, [nested]]
"""
(DOCUMENT,) = read("f.yaml", TEXT.encode()).documents
ROOT = DOCUMENT.root


def test_members_of_a_mapping():
    assert isinstance(ROOT, Mapping)
    assert ROOT.get("nothing") is ROOT.entry("nothing") is ROOT.key_span("nothing") is None
    assert str(ROOT.key_span("tags")) == "f.yaml:19:1"
    assert ROOT.get("tags") is ROOT.entry("tags").value


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("containers", 0, "name"), "train"),
        (("containers", 1, "command", 2), "run"),
        (("containers", 0, "environment", "1"), "one"),
        (("containers", 2), None),
        (("containers", "0"), None),
        (("containers", 0, "name", "x"), None),
        (("nothing", "x"), None),
        (("containers", Item("train")), None),
    ],
)
def test_find_follows_members_and_positions(path, text):
    node = find(ROOT, path)
    assert (node.text if isinstance(node, Scalar) else node) == text


def test_find_nothing_is_the_root():
    assert find(ROOT, ()) is ROOT


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "1:1"),
        (("containers",), "1:1"),
        (("containers", 0, "name"), "2:3"),
        (("containers", 1, "command", 1), "10:18"),
        (("containers", 1, "command", 9), "10:3"),
        (("containers", 0, "environment", Item("LR"), "value"), "3:17"),
        # what nobody has written is placed at what would hold it
        (("containers", 7, "name"), "1:1"),
        (("containers", 0, "healthCheck", "command"), "2:3"),
        (("containers", Item("train"), "name"), "1:1"),
        (("tags", 1, "value", "x"), "19:37"),
    ],
)
def test_locate_is_the_deepest_place_that_a_path_leads_to(path, place):
    assert str(locate(ROOT, path)) == f"f.yaml:{place}"
