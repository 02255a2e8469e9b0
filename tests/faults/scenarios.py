"""The lives of a service that the faults are let loose on: each a world just before the controller has work to do."""

from collections.abc import Callable
from functools import cache

from tests.faults.world import World

SPEC = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}}}
spec:
  cluster: default
  replicas: {replicas}
  gaudi: {{modules: {modules}}}
  taskDefinition:
    containerDefinitions:
      - {{name: train, image: "{image}", cpu: 1024, memory: 4096, command: [python, train.py]}}
  reconcile: {{{reconcile}}}
"""


def spec(
    name: str = "bert",
    *,
    replicas: int = 1,
    modules: str = "[0, 1]",
    image: str = "example.com/bert:1",
    reconcile: str = "",
) -> bytes:
    text = SPEC.format(name=name, replicas=replicas, modules=modules, image=image, reconcile=reconcile)
    return text.encode()


def _with(**files: bytes) -> World:
    """A world in which these specs have converged."""
    world = World()
    world.source.files = {f"{name}.yaml": content for name, content in files.items()}
    world.run()
    world.wait(600)
    world.run()
    return world.fork({})


def create() -> World:
    world = _with()
    world.source.files["bert.yaml"] = spec()
    return world


def spec_change() -> World:
    world = _with(bert=spec())
    world.source.files["bert.yaml"] = spec(image="example.com/bert:2", replicas=2)
    return world


def live_edit() -> World:
    world = _with(bert=spec())
    world.call("UpdateService", cluster="default", service="bert", desiredCount=3)
    other = world.call("DescribeTaskDefinition", taskDefinition="bert")["taskDefinition"]
    container = {**other["containerDefinitions"][0], "image": "example.com/somebody-elses:1"}
    edited = world.call("RegisterTaskDefinition", family="bert", networkMode="host", containerDefinitions=[container])
    arn = edited["taskDefinition"]["taskDefinitionArn"]
    world.call("UpdateService", cluster="default", service="bert", taskDefinition=arn)
    return world


def rollback() -> World:
    world = _with(bert=spec())
    world.source.files["bert.yaml"] = spec(image="example.com/bert:broken")
    return world


def replaced() -> World:
    """A change that no UpdateService makes: the service is deleted, and created anew when it has drained."""
    world = _with(bert=spec())
    daemon = spec(reconcile="replace: true").replace(b"replicas: 1", b"service: {schedulingStrategy: DAEMON}")
    world.source.files["bert.yaml"] = daemon
    return world


def delete() -> World:
    world = _with(bert=spec(), gpt=spec("gpt", modules="[2, 3]"))
    del world.source.files["bert.yaml"]
    return world


def adopt() -> World:
    world = _with(gpt=spec("gpt", modules="[2, 3]"))
    container = {"name": "train", "image": "example.com/bert:0", "cpu": 1024, "memory": 4096}
    world.call("RegisterTaskDefinition", family="bert", containerDefinitions=[container])
    world.call("CreateService", cluster="default", serviceName="bert", taskDefinition="bert", desiredCount=1)
    world.wait(300)
    world.source.files["bert.yaml"] = spec(reconcile="adopt: true")
    return world


def source_switch() -> World:
    world = _with(bert=spec(), gpt=spec("gpt", modules="[2, 3]"))
    world.source.uri = "git"
    world.source.files = {"all.yaml": spec() + b"---" + spec("gpt", modules="[2, 3]")}
    return world


SCENARIOS: dict[str, Callable[[], World]] = {
    "create": create,
    "spec change": spec_change,
    "live edit": live_edit,
    "rollback": rollback,
    "replace": replaced,
    "delete": delete,
    "adopt": adopt,
    "source switch": source_switch,
}


@cache
def prepared(name: str) -> World:
    """The world of a scenario; fork it, never run it."""
    return SCENARIOS[name]()
