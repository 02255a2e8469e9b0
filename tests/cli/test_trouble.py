"""What stands between a person and AWS: each trouble exits 1 with one sentence that says what to do, and nothing is
written. The document of `-o json` is whole all the same."""

import os
from pathlib import Path

import pytest

from controller.aws.errors import TABLE
from controller.core.redact import redact
from tests.cli.conftest import closed, credentials, refusing, silent, spec
from tests.report.schemas import checked

NETWORK = "check the network, the region and AWS_ENDPOINT_URL"
ONLY_READS = {"ListServices", "DescribeServices", "DescribeTaskDefinition", "ListTaskDefinitions"}


@pytest.fixture(autouse=True)
def one_spec(specs):
    (specs / "bert.yaml").write_text(spec())


@pytest.fixture
def told(controller):
    """What a pass says, dry or not: the same sentence each time, in the document and on stderr."""

    def call(*passes):
        sentences = set()
        for flags in passes or ((), ("--apply",), ("--apply", "--wait", "--timeout", "0.01")):
            outcome = controller("--once", *flags)
            assert outcome.code == 1
            assert "not observed: " in outcome.out
            (line,) = [one for one in outcome.err.splitlines() if one.startswith("error: ")]
            sentences.add(line)
            outcome = controller("--once", "-o", "json", *flags)
            assert outcome.code == 1
            (error,) = checked(outcome.json)["errors"]
            assert (error["file"], error["line"]) == ("bert.yaml", 2)
            assert outcome.plan["default/bert"]["drift"] == "Unknown"
            assert outcome.plan["default/bert"]["steps"] == []
            assert "Traceback" not in outcome.err
        (sentence,) = sentences
        return sentence.removeprefix("error: cluster default: "), error["code"]

    return call


def test_no_region(told, empty_world):
    empty_world.setenv("AWS_ACCESS_KEY_ID", "x")
    empty_world.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert told() == (
        "no AWS region is set; set AWS_REGION, or `region` in the AWS profile, or --region",
        "NotConfigured",
    )


def test_no_credentials(told, empty_world):
    empty_world.setenv("AWS_REGION", "us-east-1")
    sentence, code = told()
    assert sentence == (
        "no AWS credentials (Unable to locate credentials); set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or give the task a role"
    )
    assert code == "NoCredentials"


def test_a_profile_that_is_not_there(told, empty_world):
    empty_world.setenv("AWS_PROFILE", "prod")
    assert told() == (
        "The config profile (prod) could not be found; check AWS_PROFILE and ~/.aws/config",
        "NotConfigured",
    )


def test_a_configuration_that_cannot_be_read(told, empty_world, tmp_path):
    (tmp_path / "home" / ".aws").mkdir()
    (tmp_path / "home" / ".aws" / "config").write_text("no ini file")
    sentence, code = told()
    assert "Unable to parse config file" in sentence
    assert code == "NotConfigured"


def test_an_endpoint_that_is_no_address(told, empty_world):
    credentials(empty_world, "nonsense")
    sentence, code = told()
    assert sentence == (
        "no AWS client: Invalid endpoint: nonsense; check the region, AWS_ENDPOINT_URL and ~/.aws/config"
    )
    assert code == "NotConfigured"


def test_nobody_listens(told, empty_world):
    """Applying only: each pass takes botocore's own patience."""
    address = closed()
    credentials(empty_world, address)
    assert told(("--apply",)) == (
        f'ListServices: Could not connect to the endpoint URL: "{address}/"; {NETWORK}',
        "Unreachable",
    )


@pytest.mark.parametrize(
    ("code", "message", "advice", "reason"),
    [
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "check them with `aws sts get-caller-identity`, which must work in this environment",
            "NoCredentials",
        ),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "check them with `aws sts get-caller-identity`, which must work in this environment",
            "NoCredentials",
        ),
        (
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/kim is not authorized to perform: ecs:ListServices",
            "grant the action that the message names to this role",
            "AccessDenied",
        ),
        (
            "ClusterNotFoundException",
            "Cluster not found.",
            "create the cluster, or correct spec.cluster",
            "ClusterNotFound",
        ),
    ],
)
def test_aws_refuses(told, empty_world, code, message, advice, reason):
    with refusing(code, message) as (url, asked):
        credentials(empty_world, url)
        assert told() == (f"ListServices failed: {message.rstrip('.')} ({code}); {advice}", reason)
    assert set(asked) <= ONLY_READS


def test_no_advice_of_ours_looks_like_a_secret():
    """`check the credentials: …` did, and was masked."""
    for row in TABLE:
        sentence = str(row.make("DescribeServices failed"))
        assert redact(sentence) == sentence


def test_a_cluster_that_is_not_there(controller, specs, aws):
    (specs / "bert.yaml").write_text(spec(cluster="nowhere"))
    for flags in ((), ("--apply",)):
        outcome = controller("--once", *flags)
        assert outcome.code == 1
        assert outcome.err == (
            "error: cluster nowhere: ListServices failed: Cluster not found (ClusterNotFoundException); "
            "create the cluster, or correct spec.cluster\n"
        )
    assert aws.is_untouched


def test_the_findings_about_specs_are_told_without_aws(controller, specs):
    (specs / "typo.yaml").write_text(spec("typo").replace("command:", "comand:"))
    outcome = controller("--once")
    assert outcome.code == 1
    assert "did you mean `command`?" in outcome.err
    assert outcome.err.rstrip().splitlines()[-1].startswith("error: cluster default: no AWS region is set; ")


def test_the_daemon_does_not_start_without_a_region(controller):
    outcome = controller("run")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == ("error: no AWS region is set; set AWS_REGION, or `region` in the AWS profile, or --region\n")


@pytest.mark.parametrize("verb", [(), ("run",)])
def test_the_daemon_does_not_start_without_its_path(controller, specs, verb):
    """What a newcomer sees who types `controller` and nothing else."""
    (specs / "bert.yaml").unlink()
    specs.rmdir()
    outcome = controller(*verb)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "error: source specs does not exist; "
        "name a file or a folder with -s; `controller demo` shows how it works without any\n"
    )


# Files
# --------------------------------------------------------------------------------------------------------------------


def test_files_that_cannot_be_read_are_findings_of_their_own(controller, specs, aws, tmp_path):
    (specs / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    (tmp_path / "secret.yaml").write_text("password: hunter2")
    (specs / "gone.yaml").symlink_to("nowhere")
    (specs / "large.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    (specs / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    outcome = controller("--once", "--apply", "-o", "json")
    assert outcome.code == 3
    assert [(one["file"], one["code"]) for one in checked(outcome.json)["errors"]] == [
        ("gone.yaml", "unreadable-file"),
        ("large.yaml", "file-too-large"),
        ("latin.yaml", "not-utf8"),
        ("out.yaml", "unreadable-file"),
    ]
    assert outcome.plan["default/bert"]["drift"] == "InSync"
    assert outcome.json["summary"]["invalid"] == 4
    assert "hunter2" not in outcome.out + outcome.err


def test_no_error_shows_what_a_flag_or_a_path_hides(controller):
    outcome = controller("--once", "-s", "token=hf_abcdefghijklmnopqrstuvwxyz\x1b[2J")
    assert outcome.code == 1
    assert "hf_abc" not in outcome.err
    assert "\x1b" not in outcome.err


def test_a_folder_that_cannot_be_listed(controller, specs, monkeypatch):
    """As root a mode of 000 stops nobody, so the system's refusal is played."""

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(specs))

    monkeypatch.setattr("os.scandir", refuse)
    outcome = controller("--once")
    assert (outcome.code, outcome.err) == (1, "error: source specs cannot be listed: Permission denied\n")


@pytest.mark.parametrize("source", ["specs", "specs/bert.yaml"])
def test_a_file_that_may_not_be_read(controller, source, monkeypatch):
    """As root a mode of 000 stops nobody, so the system's refusal is played."""
    really = os.open

    def refuse(path, *how, **more):
        if str(path).endswith("bert.yaml"):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *how, **more)

    monkeypatch.setattr("os.open", refuse)
    outcome = controller("validate", source)
    assert outcome.code == 3
    assert "error[unreadable-file] cannot be read: Permission denied\n  --> specs/bert.yaml:1:1\n" in outcome.out
    outcome = controller("--once", "-s", source)
    assert outcome.code == 3
    assert "error[unreadable-file] cannot be read: Permission denied\n  --> bert.yaml:1:1\n" in outcome.err
    assert outcome.out.endswith("0 to delete, 1 invalid, 0 in sync\n")


def test_an_unknown_kind_of_source(controller):
    outcome = controller("--once", "-s", "ftp://host/specs", "-o", "json")
    assert outcome.code == 64
    assert checked(outcome.json)["errors"][0]["code"] == "Usage"
    assert outcome.err.startswith("error: ")
    assert Path("specs").exists()


def test_an_answer_that_never_comes(controller, empty_world, monkeypatch):
    """Half a second of patience instead of a minute: the sentence is the same."""
    monkeypatch.setattr("controller.aws.client.CALL_TIMEOUT", 0.5)
    with silent() as (address, _):
        credentials(empty_world, address)
        outcome = controller("--once")
    assert outcome.code == 1
    assert outcome.err.startswith("error: cluster default: ListServices: ")
    assert outcome.err.endswith("; check the network, the region and AWS_ENDPOINT_URL\n")
