"""How two tasks are kept off one card: host ports as tokens, and everything that gets round them."""

import pytest

from controller.core.gaudi.collisions import with_live
from controller.core.gaudi.demand import apart, demand_of, host_ports
from controller.core.gaudi.ports import RESERVED, base_problem, token_ports
from controller.core.gaudi.tasks import live_task
from controller.core.placement import parse
from controller.core.render import Settings
from controller.errors import Usage
from controller.settings import load
from tests.support import desired, findings, rendered

WHOLE = "{cards: 8, isolation: none}"
POOL = "placementConstraints: [{{type: memberOf, expression: '{}'}}]"


def spec(name, gaudi, *, cpu=8192, memory=64000, task="", service="", more="", cluster="train"):
    return f"""
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}}}
spec:
  cluster: {cluster}
  replicas: 1
  gaudi: {gaudi}
  taskDefinition:
    cpu: "{cpu}"
    memory: "{memory}"
    {task}
    containerDefinitions:
      - name: main
        image: example.com/{name}:1
        {more}
  service: {{{service}}}
"""


def plain(name, port, *, mode="host"):
    return f"""
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}}}
spec:
  cluster: train
  replicas: 1
  taskDefinition:
    networkMode: {mode}
    containerDefinitions:
      - {{name: web, image: w, memory: 100, portMappings: [{{containerPort: {port}, hostPort: {port}}}]}}
"""


def said(*documents, settings=None):
    found = desired(*documents, settings=settings).diagnostics
    return [(one.severity.value, one.at.line, one.message) for one in found]


# Where tokens may lie -----------------------------------------------------------------------------------------------


def test_the_default_base_is_clear_of_everything():
    assert base_problem(Settings().port_base) is None
    assert list(token_ports(18100)) == list(range(18100, 18108))


@pytest.mark.parametrize(
    ("base", "says"),
    [
        (1023, "between 1024"),
        (0, "between 1024"),
        (32_761, "between 1024"),
        (51_678, "between 1024"),
        (2_375, "port 2375 belongs to docker"),
        (2_369, "port 2376 belongs to docker" if 2_375 not in range(2_369, 2_377) else "port 2375 belongs to docker"),
        (2_368, "port 2375 belongs to docker"),
    ],
)
def test_bases_that_cannot_work(base, says):
    assert says in str(base_problem(base))


@pytest.mark.parametrize("base", [1024, 2_367, 2_377, 32_760])
def test_bases_that_can(base):
    assert base_problem(base) is None


def test_awsvpc_holds_no_host_ports():
    text = spec(
        "a",
        "{modules: [0, 1]}",
        task="networkMode: awsvpc",
        service="networkConfiguration: {awsvpcConfiguration: {subnets: [s]}}",
    )
    (message,) = [message for code, message, _ in findings(text) if code == "contradiction"]
    assert "holds no host ports, so isolation: hostPorts cannot keep tasks off one card" in message


def test_bridge_holds_them():
    text = spec("a", "{modules: [0, 1]}", task="networkMode: bridge")
    assert {(one.port, one.protocol) for one in host_ports(rendered(text).register)} == {(18100, "tcp"), (18101, "tcp")}


@pytest.mark.parametrize(
    ("mode", "mapping", "ports"),
    [
        ("host", {"containerPort": 80}, [80]),
        ("host", {"containerPort": 80, "hostPort": 80}, [80]),
        ("bridge", {"containerPort": 80, "hostPort": 8080}, [8080]),
        ("bridge", {"containerPort": 80}, []),
        ("bridge", {"containerPort": 80, "hostPort": 0}, []),
        (None, {"containerPort": 80, "hostPort": 8080}, [8080]),
        ("awsvpc", {"containerPort": 80, "hostPort": 80}, []),
        ("none", {"containerPort": 80, "hostPort": 80}, []),
        ("bridge", {"containerPortRange": "80-90"}, []),
    ],
)
def test_fixed_host_ports_by_network_mode(mode, mapping, ports):
    definition = {"containerDefinitions": [{"name": "a", "portMappings": [mapping]}]} | (
        {"networkMode": mode} if mode else {}
    )
    assert [one.port for one in host_ports(definition)] == ports


def test_a_smoke_test_takes_no_token():
    assert list(host_ports(rendered(spec("a", "{cards: 8}", more="command: [hl-smi]")).register)) == []


def test_a_tasks_own_ports_keep_off_other_cards():
    text = spec("a", "{modules: [0, 1]}", more="portMappings: [{containerPort: 18105}]")
    ((severity, line, message),) = said(text)
    assert (severity, line) == ("warning", 16)
    assert "host port 18105 stands for card 5, which this task does not use" in message


@pytest.mark.parametrize("port", sorted(RESERVED))
def test_ports_of_the_instance_are_never_free(port):
    text = spec("a", "{modules: [0, 1]}", more=f"portMappings: [{{containerPort: {port}}}]")
    assert [one[2] for one in said(text)] == [
        f"host port {port} is SSH's, docker's or the ECS agent's on every instance, so the task is never placed"
    ]


def test_an_instance_holds_a_hundred_ports():
    mappings = ", ".join(f"{{containerPort: {port}}}" for port in range(8000, 8000 + 87))
    text = spec("a", "{cards: 8}", more=f"portMappings: [{mappings}]")
    assert any(
        "95 fixed host ports, but an instance can hold 100, 6 of them the agent's" in m for _, _, m in said(text)
    )
    assert said(text.replace("{containerPort: 8086}, ", "").replace(", {containerPort: 8086}", "")) == []


# Between specs ------------------------------------------------------------------------------------------------------


def test_tokens_are_enough():
    assert said(spec("a", "{modules: [0, 1]}"), spec("b", "{modules: [0, 1]}"), spec("c", "{cards: 8}")) == []


def test_two_all_on_one_instance():
    """tgi-gaudi #54, #93: synStatus=20 [Device already acquired] with HABANA_VISIBLE_DEVICES=all twice."""
    found = said(spec("a", WHOLE), spec("b", WHOLE))
    about_pairs = [one for one in found if "nothing keeps this workload" in one[2]]
    assert [severity for severity, _, _ in about_pairs] == ["warning", "warning"]
    assert "synStatus=20 [Device already acquired]" in about_pairs[0][2]
    assert "train/b (all eight cards, specs.yaml:" in about_pairs[0][2]


def test_one_without_tokens_is_enough_for_trouble():
    found = said(spec("a", "{modules: [2, 3], isolation: none}"), spec("b", "{modules: [0, 1, 2, 3]}"))
    assert any("(modules 2, 3) off the cards of train/b (modules 0, 1, 2, 3" in message for _, _, message in found)


@pytest.mark.parametrize(
    "others",
    [
        (spec("a", WHOLE, memory=500000), spec("b", WHOLE, memory=400000)),
        (spec("a", WHOLE, cpu=60000), spec("b", WHOLE, cpu=50000)),
        (spec("a", "{modules: [0, 1], isolation: none}"), spec("b", "{modules: [2, 3], isolation: none}")),
        (spec("a", WHOLE), spec("b", WHOLE, cluster="other")),
        (
            spec("a", WHOLE, more="portMappings: [{containerPort: 7000}]"),
            spec("b", WHOLE, more="portMappings: [{containerPort: 7000}]"),
        ),
        (
            spec("a", WHOLE, service=POOL.format("attribute:habana.pool == a")),
            spec("b", WHOLE, service=POOL.format("attribute:habana.pool in [b, c]")),
        ),
    ],
    ids=["memory", "cpu", "disjoint", "clusters", "ports", "pools"],
)  # fmt: skip
def test_what_else_keeps_two_tasks_apart(others):
    assert not [one for one in said(*others) if "nothing keeps" in one[2]]


def test_many_are_not_all_named():
    found = said(*(spec(f"s{number}", "{cards: 8, isolation: none}") for number in range(6)))
    assert all(message.count("train/") == 3 for _, _, message in found if "nothing keeps" in message)
    assert sum("and more" in message for _, _, message in found) == 6


def test_indices_and_modules_do_not_mix():
    """The token of card 0 says nothing where one spec means module 0 and another device 0."""
    found = desired(spec("a", "{devices: [0, 1]}"), spec("b", "{modules: [2, 3]}"))
    ((severity, message, line),) = [(one.severity.value, one.message, one.at.line) for one in found.diagnostics]
    assert (severity, line) == ("error", 8)
    assert "device 0 may be any module" in message
    assert {key.name for key in found.rendered} == {"b"}
    assert {key.name for key in found.invalid} == {"a"}
    assert said(spec("a", "{devices: [0, 1]}"), spec("b", "{devices: [2, 3]}"), spec("c", "{cards: 8}")) == []
    assert said(spec("a", "{devices: [0, 1]}"), spec("b", "{modules: [2, 3]}", cluster="other")) == []


def test_ports_of_others_stand_for_cards():
    found = said(spec("a", "{modules: [2, 3]}"), plain("web", 18103))
    ((severity, line, message),) = found
    assert severity == "warning"
    assert "host port 18103 stands for card 3 of train/a (modules 2, 3" in message
    assert line > 20
    assert said(spec("a", "{modules: [2, 3]}"), plain("web", 18105)) == []
    assert said(spec("a", "{modules: [2, 3]}"), plain("web", 8080)) == []


# Within a service ---------------------------------------------------------------------------------------------------


def test_replicas_name_the_same_cards():
    text = spec("a", "{modules: [0, 1], isolation: none}")
    ((severity, _, message),) = said(text)
    assert severity == "warning"
    assert "two tasks of this service fit on one instance and open the same cards" in message
    assert (
        said(
            spec("a", "{modules: [0, 1], isolation: none}", service="placementConstraints: [{type: distinctInstance}]")
        )
        == []
    )
    assert said(spec("a", "{modules: [0, 1], isolation: none}", memory=500000)) == []


def test_the_reason_says_why_tokens_are_enough():
    one = rendered(spec("a", "{modules: [0, 1]}"))
    assert any("not even two of this service" in reason.why for reason in one.reasons)


# Demands ------------------------------------------------------------------------------------------------------------


def test_a_demand_is_the_tasks_size_or_its_containers():
    definition = {
        "containerDefinitions": [
            {"name": "a", "cpu": 100, "memory": 500, "memoryReservation": 200},
            {"name": "b", "memory": 50},
        ]
    }
    assert (demand_of(definition).cpu, demand_of(definition).memory) == (100, 250)
    sized = definition | {"cpu": "2 vCPU", "memory": "4GB"}
    assert (demand_of(sized).cpu, demand_of(sized).memory) == (2048, 4096)


def test_why_two_demands_are_apart():
    definition = {
        "networkMode": "host",
        "containerDefinitions": [{"name": "a", "portMappings": [{"containerPort": 80}]}],
    }
    one = demand_of(definition)
    assert apart(one, one) == "both hold host port 80"
    big = demand_of({"cpu": "60000", "memory": "10"})
    assert apart(big, big) == "60000 and 60000 CPU units are more than the 98304 of an instance"
    assert apart(big, big, cpu=200_000) is None


def test_expressions_that_nobody_can_read_are_left_out():
    constraints = [{"type": "memberOf", "expression": "((("}, {"expression": "attribute:a == b"}]
    assert demand_of({"placementConstraints": constraints}).constraints == (parse("attribute:a == b"),)


# Live tasks that nobody manages ---------------------------------------------------------------------------------------


def running(environment, *, status="RUNNING", override=None, **members):
    definition = {
        "containerDefinitions": [
            {"name": "x", "memory": 10, "environment": environment, **members.pop("container", {})}
        ],
        **members,
    }
    task = {
        "taskArn": "arn:aws:ecs:us-west-2:1:task/train/abc",
        "taskDefinitionArn": "arn:aws:ecs:us-west-2:1:task-definition/x:3",
        "containerInstanceArn": "arn:aws:ecs:us-west-2:1:container-instance/train/i1",
        "group": "family:x",
        "lastStatus": status,
        "desiredStatus": "RUNNING",
    }
    if override is not None:
        task["overrides"] = {"containerOverrides": [{"name": "x", "environment": override}], "memory": "20"}
    return live_task(task, definition)


ALL = [{"name": "HABANA_VISIBLE_DEVICES", "value": "all"}]
TOKENS = {"portMappings": [{"containerPort": port, "hostPort": port} for port in range(18100, 18108)]}


def test_an_unmanaged_task_on_the_cards():
    one = rendered(spec("a", "{modules: [0, 1]}"))
    (found,) = with_live(one, [running(ALL)])
    assert "task abc of family:x uses all eight cards of instance i1" in found.message
    assert found.at.line == 8
    assert not found.is_error


def test_an_unmanaged_task_that_is_in_nobodys_way():
    one = rendered(spec("a", "{modules: [0, 1]}"))
    low = [*ALL, {"name": "HABANA_VISIBLE_MODULES", "value": "4,5"}]
    quiet = [
        running(low),
        running([]),
        running(ALL, status="STOPPED"),
        running(ALL, networkMode="host", container=TOKENS),
        running(ALL, container={"command": ["hl-smi"]}),
        running(ALL, memory="760000"),
    ]
    assert list(with_live(one, quiet)) == []


def test_overrides_say_which_cards():
    modules = [{"name": "HABANA_VISIBLE_MODULES", "value": "6,7"}]
    task = running(ALL, override=modules)
    assert str(task.demand.cards[0]) == "modules 6, 7"
    assert task.demand.memory == 20
    assert (task.short, task.short_instance, task.service, task.ending) == ("abc", "i1", None, False)


def test_the_setting_is_checked():
    with pytest.raises(Usage, match=r"--port-base is 2370: port 2375 belongs to docker"):
        load(flags={"port_base": 2370}, environment={}, file=None)
    assert load(flags={"port_base": 2400}, environment={}, file=None).settings.port_base == 2400
