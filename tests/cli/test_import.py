"""`controller import`: where specs go, what is told beside them, what is refused, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Sandbox, reach, refusing, spec

CONTAINER = {"name": "train", "image": "example.com/bert:1", "memory": 4096}
DEFINITION = {"family": "bert", "containerDefinitions": [CONTAINER]}


def run_service(aws: Sandbox, name: str = "bert", *, tags: dict[str, str] | None = None, **container: Any) -> None:
    """Somebody else's service."""
    aws.call("RegisterTaskDefinition", family=name, containerDefinitions=[{**CONTAINER, **container}])
    keys = [{"key": key, "value": value} for key, value in (tags or {"team": "nlp"}).items()]
    aws.call("CreateService", serviceName=name, taskDefinition=name, desiredCount=1, launchType="EC2", tags=keys)


def test_a_service_goes_to_stdout_and_what_is_told_to_stderr(controller: Any, aws: Sandbox) -> None:
    run_service(aws)
    done: Outcome = controller("import", "default/bert")
    assert done.code == 0
    assert done.out.startswith("# Imported from default/bert by `controller import`.\napiVersion: dl1.ecs/v1alpha1\n")
    assert "  reconcile: {adopt: true}\n" in done.out
    assert done.err.splitlines()[0].startswith("read   default/bert: ")
    assert "plans as in sync; taking it over sets" in done.err
    assert "restarts nothing" in done.err


def test_what_was_imported_is_adopted_without_a_change(controller: Any, aws: Sandbox) -> None:
    run_service(aws)
    assert controller("import", "default", "-d", "specs").code == 0
    assert controller("validate", "specs").code == 0
    before = aws.call("DescribeServices", services=["bert"])["services"][0]
    assert controller("--once", "--apply").code == 0
    after = aws.call("DescribeServices", services=["bert"], include=["TAGS"])["services"][0]
    assert len(aws.call("ListTaskDefinitions")["taskDefinitionArns"]) == 1
    assert [one["id"] for one in after["deployments"]] == [one["id"] for one in before["deployments"]]
    assert {"key": "dl1.ecs/owner", "value": "controller"} in after["tags"]
    assert controller("--once").code == 0


def test_an_import_writes_nothing_to_ecs(controller: Any, aws: Sandbox) -> None:
    run_service(aws)
    before = aws.call("DescribeServices", services=["bert"], include=["TAGS"])
    controller("import", "default")
    assert aws.call("DescribeServices", services=["bert"], include=["TAGS"]) == before


def test_a_cluster_is_one_stream_or_one_file_each(controller: Any, aws: Sandbox) -> None:
    for name in ("b", "a"):
        run_service(aws, name)
    stream: Outcome = controller("import", "default")
    assert stream.out.count("\n---\n") == 1
    assert stream.out.index("name: a") < stream.out.index("name: b")
    assert stream.err.splitlines()[-1] == "2 imported, 2 of them in sync"
    Path("all.yaml").write_text(stream.out)
    assert controller("validate", "all.yaml").code == 0
    assert controller("import", "default", "-d", "specs/new").code == 0
    assert sorted(path.name for path in Path("specs/new").iterdir()) == ["a.yaml", "b.yaml"]
    assert (
        "\n---\n".join(Path(f"specs/new/{name}.yaml").read_text().rstrip("\n") for name in "ab") == stream.out.rstrip()
    )


def test_a_file_is_overwritten_only_by_force_and_then_none_is_half_written(controller: Any, aws: Sandbox) -> None:
    run_service(aws, "a")
    run_service(aws, "b")
    folder = Path("specs")
    folder.mkdir()
    (folder / "b.yaml").write_text("mine")
    done: Outcome = controller("import", "default", "-d", "specs")
    assert done.code == 1
    assert "nothing is written: specs/b.yaml exists already; --force overwrites" in done.err
    assert [path.name for path in folder.iterdir()] == ["b.yaml"]
    assert (folder / "b.yaml").read_text() == "mine"
    assert controller("import", "default", "-d", "specs", "--force").code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "b.yaml"]
    assert (folder / "b.yaml").read_text().startswith("# Imported")


def test_secrets_are_named_with_their_place_in_what_was_written(controller: Any, aws: Sandbox) -> None:
    environment = [{"name": "HF_TOKEN", "value": "hf_donotcopythisvalueanywhere"}, {"name": "LR", "value": "1"}]
    run_service(aws, "a")
    run_service(aws, "b", environment=environment)
    done: Outcome = controller("import", "default")
    assert done.code == 0
    assert "donotcopy" not in done.out + done.err
    (todo,) = [line for line in done.err.splitlines() if line.startswith("todo")]
    line = int(todo.split(":")[1])
    assert todo.startswith(f"todo   (stdout):{line}:")
    assert "HF_TOKEN: TODO" in done.out.splitlines()[line - 1]
    assert "note   `secrets` need an executionRoleArn that may read them" in done.err
    assert "in sync; taking it over sets" in done.err
    assert "but for 1 placeholder to fill in" in done.err
    assert controller("import", "default/b", "-d", "specs").code == 0
    refused: Outcome = controller("validate", "specs")
    assert refused.code == 3
    assert "error[placeholder] nobody has said where the secret HF_TOKEN is kept" in refused.out
    assert "donotcopy" in controller("import", "default/b", "--plain", "HF_TOKEN").out


def test_the_count_is_left_to_others_on_request(controller: Any, aws: Sandbox) -> None:
    run_service(aws)
    assert "replicas: 1" in controller("import", "default/bert").out
    assert "replicas" not in controller("import", "default/bert", "--no-replicas").out


def test_gaudi_settings_come_back(controller: Any, aws: Sandbox, specs: Path) -> None:
    (specs / "bert.yaml").write_text(spec(gaudi="{modules: [4, 5], tuning: minimal}"))
    assert controller("--once", "--apply").code == 0
    done: Outcome = controller("import", "default/bert")
    assert "  gaudi: {modules: [4, 5], tuning: minimal}\n" in done.out
    assert "HABANA" not in done.out
    assert "metadata:\n  name: bert\n  labels: {team: nlp}\n" in done.out
    assert "adopt" not in done.out
    assert "gaudi: modules [4, 5], tuning minimal" in done.err


def test_what_does_not_plan_as_in_sync_is_listed(controller: Any, aws: Sandbox) -> None:
    run_service(aws)
    aws.call("DeregisterTaskDefinition", taskDefinition="bert:1")
    done: Outcome = controller("import", "default/bert")
    assert done.code == 2
    assert done.out.startswith("# Imported"), "it is written all the same"
    assert "check  does NOT plan as in sync:" in done.err
    assert "taskDefinition.status" in done.err


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"ecs:service:stackId": "arn:of:stack"}, "service bert belongs to CloudFormation (arn:of:stack)"),
        ({"dl1.ecs/owner": "other"}, "service bert is owned by controller `other`"),
    ],
)
def test_a_service_of_somebody_else_is_refused_with_the_reason(
    controller: Any, aws: Sandbox, tags: dict[str, str], why: str
) -> None:
    run_service(aws, tags=tags)
    one: Outcome = controller("import", "default/bert")
    assert (one.code, one.out) == (1, "")
    assert f"error: default/bert is not imported: {why}" in one.err
    run_service(aws, "mine")
    cluster: Outcome = controller("import", "default")
    assert cluster.code == 0
    assert f"skip   default/bert: {why}" in cluster.err
    assert cluster.err.splitlines()[-1] == "1 imported, 1 of them in sync, 1 refused"
    assert "name: bert" not in cluster.out


def test_a_service_that_is_not_there(controller: Any, aws: Sandbox) -> None:
    run_service(aws)
    done: Outcome = controller("import", "default/brt")
    assert (done.code, done.out) == (1, "")
    assert "error: there is no service brt in cluster default; did you mean `bert`?" in done.err


def test_an_empty_cluster_is_no_error_and_says_so(controller: Any, aws: Sandbox) -> None:
    done: Outcome = controller("import", "default")
    assert (done.code, done.out) == (0, "")
    assert done.err == "note: cluster default has no services\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "needs CLUSTER[/SERVICE], or --from FILE"),
        (("a/b/c",), "a/b/c names no cluster and no service"),
        (("arn:aws:s3:::bucket",), "names no cluster and no service"),
        (("a", "--target", "prod"), "target prod is not configured; targets: none is configured"),
        (("a", "--target", "prod", "--from", "x.json"), "--target and --from exclude each other"),
    ],
)
def test_a_command_line_that_means_nothing(controller: Any, arguments: tuple[str, ...], says: str) -> None:
    done: Outcome = controller("import", *arguments)
    assert (done.code, done.out) == (64, "")
    assert says in done.err


@pytest.mark.parametrize(
    "where",
    [
        "arn:aws:ecs:us-east-1:123456789012:service/default/bert",
        "arn:aws:ecs:us-east-1:123456789012:cluster/default/bert",
    ],
)
def test_an_arn_will_do(controller: Any, aws: Sandbox, where: str) -> None:
    run_service(aws)
    done: Outcome = controller("import", where)
    assert done.code == 0
    assert "name: bert" in done.out


def test_an_ecs_that_refuses_is_a_runtime_error(controller: Any, empty_world: pytest.MonkeyPatch) -> None:
    with refusing("AccessDeniedException", "no") as (url, _):
        for name, value in reach(url).items():
            empty_world.setenv(name, value)
        done: Outcome = controller("import", "default")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")


# From files
# --------------------------------------------------------------------------------------------------------------------


def test_a_file_needs_no_aws(controller: Any) -> None:
    Path("ecs-task-def.json").write_text(json.dumps(DEFINITION))
    Path("ecs-service-def.json").write_text(json.dumps({"desiredCount": 2, "launchType": "EC2"}))
    done: Outcome = controller("import", "train/bert", "--from", "ecs-task-def.json", "--from", "ecs-service-def.json")
    assert done.code == 0
    assert done.out.startswith("# Imported from ecs-task-def.json and ecs-service-def.json by `controller import`.")
    assert "replicas: 2" in done.out
    assert "check  renders as the same requests" in done.err
    assert controller("import", "train/bert", "--from", "ecs-task-def.json").code == 0


def test_what_of_a_file_cannot_be_taken_over_is_shown_at_its_place(controller: Any) -> None:
    Path("td.json").write_text(json.dumps({**DEFINITION, "gpus": 8}, indent=1))
    done: Outcome = controller("import", "train/bert", "--from", "td.json")
    assert done.code == 2
    assert "warning[unknown-field] taskDefinition.gpus is not a known field" in done.err
    assert "--> td.json:" in done.err
    assert "name: bert" in done.out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("services: {web: {image: x}}", "this is a docker compose file, which cannot be imported"),
        ('{"family": "x", "cpu": {{ env }} }', "render templates and Jsonnet"),
        ("{", "error[yaml-syntax]"),
    ],
)
def test_a_file_that_is_something_else(controller: Any, content: str, says: str) -> None:
    Path("x.json").write_text(content)
    done: Outcome = controller("import", "train/bert", "--from", "x.json")
    assert (done.code, done.out) == (3, "")
    assert says in done.err


def test_a_file_that_is_not_there(controller: Any) -> None:
    done: Outcome = controller("import", "train/bert", "--from", "x.json")
    assert (done.code, done.out) == (1, "")
    assert "x.json cannot be read: No such file or directory" in done.err
