"""What many tests need: a spec, and the way from its text to requests and plans."""

import textwrap
from collections.abc import Mapping
from typing import Any

from controller.core.desired import Desired, desire
from controller.core.render import Rendered, Settings

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata:
  name: bert
spec:
  cluster: default
  replicas: 1
  gaudi: {cards: 8}
  taskDefinition:
    cpu: "90000"
    memory: "700000"
    containerDefinitions:
      - name: train
        image: example.com/bert:1
        environment: {LR: 1e-3}
"""


def desired(*documents: str, settings: Settings | None = None) -> Desired:
    """What documents ask for."""
    text = "\n---\n".join(textwrap.dedent(document) for document in documents)
    return desire({"specs.yaml": text.encode()}, settings or Settings())


def rendered(document: str = SPEC, *, settings: Settings | None = None) -> Rendered:
    """The requests of one valid document."""
    found = desired(document, settings=settings)
    assert not [one for one in found.diagnostics if one.is_error], found.diagnostics
    (one,) = found.rendered.values()
    return one


def findings(document: str, *, settings: Settings | None = None) -> list[tuple[str, str, int]]:
    """(code, message, line) of everything that is wrong with a document."""
    return [(str(one.code), one.message, one.at.line) for one in desired(document, settings=settings).diagnostics]


def container(register: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """A container definition of a request: the named one, or the only one."""
    found = [one for one in register["containerDefinitions"] if name in (None, one["name"])]
    assert len(found) == 1
    return found[0]
