"""Settings: which layer wins, where a value comes from, and what is said about one that makes no sense."""

import dataclasses

import pytest
from pydantic import ValidationError

from controller.aws.lease.terms import LeaseSettings
from controller.aws.targets import Target
from controller.errors import Usage
from controller.settings import Settings, load, variable


def settings(*, flags=None, environment=None, file=None):
    return load(flags=flags or {}, environment=environment or {}, file=file)


def refused(**layers):
    with pytest.raises(Usage) as caught:
        settings(**layers)
    return str(caught.value)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes `controller.yaml` in the current folder and names it as a user would."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / "controller.yaml"
        path.write_text(text, encoding="utf-8")
        return path.relative_to(tmp_path)

    return write


def test_the_defaults_stand_where_nobody_says_anything():
    found = settings()
    assert found.settings == Settings()
    assert set(found.origins) == set(Settings.model_fields)
    assert set(found.origins.values()) == {"default"}


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(written):
    file = written("resync: 10\nworkers: 2\nowner: file\n")
    found = settings(
        flags={"resync": 30.0}, environment={"CONTROLLER_RESYNC": "20", "CONTROLLER_WORKERS": "3"}, file=file
    )
    assert (found.settings.resync, found.settings.workers, found.settings.owner) == (30.0, 3, "file")
    assert found.settings.port_base == Settings().port_base
    assert found.origins["resync"] == "--resync"
    assert found.origins["workers"] == "CONTROLLER_WORKERS"
    assert found.origins["owner"] == "controller.yaml:3:1"
    assert found.origins["port_base"] == "default"


NUMBERS = {
    "poll": 5.0,
    **dict.fromkeys(("resync", "timeout", "delete_after", "fleet_interval"), 5.0),
    **dict.fromkeys(("workers", "max_concurrent_rollouts", "delete_share", "delete_shrink"), 5),
    "port_base": 2000,
    "api_share": 0.25,
}
TEXTS = {
    "queue": "https://sqs.us-west-2.amazonaws.com/123456789012/controller",
    "source_bucket_owner": "123456789012",
    "http": "localhost:9090",
    "journal": "s3://bucket/history",
}
NESTED = {
    "targets": ("[{name: prod, region: us-west-2}]", (Target(name="prod", region="us-west-2"),)),
    "lease": ("{store: 's3://bucket'}", LeaseSettings(store="s3://bucket")),
}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_can_come_from_the_environment_and_from_the_file(name, written):
    wanted = {"clusters": ("a", "b"), **NUMBERS, **TEXTS}.get(name, "x")
    text = in_file = str(wanted)
    if name == "clusters":
        text, in_file = "a, b", "[a, b]"
    elif name in ("source_rewind", "smoke"):
        text, in_file, wanted = "true", "true", True
    elif name in NESTED:
        text, wanted = NESTED[name]
        in_file = text
    found = settings(environment={variable(name): text})
    assert (getattr(found.settings, name), found.origins[name]) == (wanted, variable(name))
    found = settings(file=written(f"{name}: {in_file}\n"))
    assert (getattr(found.settings, name), found.origins[name]) == (wanted, "controller.yaml:1:1")


TARGETS = """\
lease:
  store: dynamodb://leases
  duration: 35
  deadline: 30
  retry: 5
targets:
  - name: prod
    region: us-west-2
    roleArn: arn:aws:iam::012345670123:role/controller
    externalId: abc
    clusters: [train, serve]
  - name: staging
    region: us-west-2
    account: 012345670124
"""


def test_targets_and_the_lease(written):
    """An account keeps its zeros: YAML would read 012345670123 as an octal number."""
    found = settings(file=written(TARGETS)).settings
    assert [(one.name, one.expected_account, one.clusters) for one in found.targets] == [
        ("prod", "012345670123", ("train", "serve")),
        ("staging", "012345670124", ()),
    ]
    assert found.lease == LeaseSettings(store="dynamodb://leases", duration=35, deadline=30, retry=5)


def test_targets_from_the_environment_are_yaml_or_json():
    json = '[{"name": "prod", "region": "us-west-2", "account": "012345670123"}]'
    (found,) = settings(environment={"CONTROLLER_TARGETS": json}).settings.targets
    assert found.account == "012345670123"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("roleArn:", "rolArn:", "controller.yaml:9:5: `rolArn` is no member of targets[0]; did you mean `roleArn`?"),
        ("    region: us-west-2\n    roleArn", "    roleArn", "controller.yaml:7:5: targets[0] needs `region`"),
        ("name: staging", "name: prod", "controller.yaml:6:1: targets: two targets are named prod"),
        (
            "account: 012345670124",
            "account: 012345670123",
            "controller.yaml:6:1: targets: prod and staging are one place",
        ),
        (
            "account: 012345670124",
            "account: 1234",
            "controller.yaml:14:5: targets[1].account is `1234`: write the twelve",
        ),
        ("[train, serve]", "train", "controller.yaml:11:5: targets[0].clusters must be a list, not `train`"),
        ("[train, serve]", "[train, a b]", "controller.yaml:11:23: targets[0].clusters[1] is `a b`: write the name or"),
        (
            "  - name: prod\n",
            "  - prod\n  - name: prod\n",
            "controller.yaml:7:5: targets[0] must be a mapping, not `prod`",
        ),
        (
            "deadline: 30",
            "deadline: 40",
            "controller.yaml:1:1: lease: the duration (35 s) must be longer than the deadline",
        ),
        ("retry: 5", "retry: 0", "controller.yaml:5:3: lease.retry is `0`: it must be more than 0"),
        (
            "dynamodb://leases",
            "redis://x",
            "controller.yaml:2:3: lease.store is `redis://x`: write dynamodb://TABLE or",
        ),
    ],
)
def test_what_is_wrong_inside_of_a_setting_is_said_at_its_place(written, old, new, told):
    assert old in TARGETS
    assert told in refused(file=written(TARGETS.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[{name: prod, rgion: x}]",
            "CONTROLLER_TARGETS:1:15: `rgion` is no member of targets[0]; did you mean `region`?",
        ),
        ("prod", "CONTROLLER_TARGETS must be a list, not `prod`"),
        ("[{", "CONTROLLER_TARGETS:1:"),
    ],
)
def test_a_variable_with_members_has_places_too(text, told):
    assert told in refused(environment={"CONTROLLER_TARGETS": text})


def test_settings_are_frozen():
    found = settings()
    with pytest.raises(ValidationError):
        found.settings.owner = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.settings = Settings()


def test_an_empty_variable_and_an_empty_member_say_nothing(written):
    environment = {"CONTROLLER_RESYNC": "", "CONTROLLER_REGION": "", "CONTROLLER_CLUSTERS": ""}
    found = settings(environment=environment, file=written("profile:\nowner: ~\n"))
    assert found.settings == Settings()


def test_an_empty_file_is_no_settings(written):
    assert settings(file=written("# nothing yet\n")).settings == Settings()


def test_texts_of_the_file_mean_what_their_setting_says(written):
    """YAML's own idea of a value (`1.10` is 1.1, `no` is false) is not asked."""
    found = settings(file=written("owner: 1.10\nregion: no\nprofile: 0x10\nworkers: 4\n")).settings
    assert (found.owner, found.region, found.profile, found.workers) == ("1.10", "no", "0x10", 4)


def test_everything_that_is_wrong_is_said_at_once_each_with_its_place(written):
    file = written("workrs: 3\nresync: soon\nclusters: train\nregion: {a: b}\n")
    sentence = refused(
        flags={"port_base": 80, "owner": "a b"},
        environment={"CONTROLLER_WORKERS": "x", "CONTROLLER_TIMEOUT": "0"},
        file=file,
    )
    for part in (
        "controller.yaml:1:1: `workrs` is no setting; did you mean `workers`?",
        "controller.yaml:2:1: resync must be a number, not `soon`",
        "controller.yaml:3:1: clusters must be a list, not `train`",
        "controller.yaml:4:1: region must be text, not a mapping",
        "CONTROLLER_WORKERS must be a whole number, not `x`",
        "CONTROLLER_TIMEOUT is `0`: it must be more than 0",
        "--port-base is 80: it must be at least 1024",
        "--owner is `a b`: it may hold letters, digits, `_`, `.` and `-` only",
    ):
        assert part in sentence


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"owner": ""}, "--owner is ``: it must have at least 1 character"),
        ({"owner": "x" * 129}, f"--owner is `{'x' * 59}…`: it must have at most 128 characters"),
        ({"workers": 65}, "--workers is 65: it must be at most 64"),
        ({"resync": float("nan")}, "--resync is nan: it must be at most 86400"),
        ({"timeout": float("inf")}, "--timeout is inf: it must be at most 86400"),
        ({"clusters": 5}, "--cluster must be a list, not 5"),
    ],
)
def test_a_flag_that_makes_no_sense(flags, sentence):
    assert refused(flags=flags) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("owner: [", "controller.yaml:1:9: a value or a closing bracket is missing"),
        ("owner: a\nowner: b\n", "controller.yaml:2:1: key `owner` is given twice"),
        ("owner: a\n---\nowner: b\n", "controller.yaml:3:1: a configuration is one document"),
        ("- owner\n", "controller.yaml:1:1: a configuration is a mapping of settings, not a list"),
        ("owner\n", "controller.yaml:1:1: a configuration is a mapping of settings, not `owner`"),
        ("owner: !!python/name:os.system\n", "controller.yaml:1:8:"),
        ("[" * 100_000, "controller.yaml:1:"),
    ],
    ids=["syntax", "duplicate", "two documents", "list", "scalar", "tag", "bomb"],
)
def test_a_file_that_is_no_configuration(text, sentence, written):
    assert refused(file=written(text)).startswith(sentence)


def test_a_file_that_cannot_be_read(tmp_path):
    assert refused(file=tmp_path / "none.yaml") == (
        f"configuration {tmp_path}/none.yaml cannot be read: No such file or directory; check --config"
    )
    (tmp_path / "latin.yaml").write_bytes(b"owner: caf\xe9\n")
    assert "latin.yaml:1:" in refused(file=tmp_path / "latin.yaml")


def test_what_a_bad_value_holds_is_not_repeated_where_it_is_a_secret():
    assert "hunter2" not in refused(environment={"CONTROLLER_OWNER": "password=hunter2"})


def test_variables_of_others_are_not_ours_and_near_misses_are_told():
    """Kubernetes sets CONTROLLER_PORT and CONTROLLER_SERVICE_HOST where a service is called `controller`."""
    kubernetes = {
        "CONTROLLER_PORT": "tcp://10.0.0.1:80",
        "CONTROLLER_PORT_80_TCP_ADDR": "10.0.0.1",
        "CONTROLLER_SERVICE_HOST": "10.0.0.1",
        "CONTROLLER_SERVICE_PORT": "80",
    }
    found = settings(environment={**kubernetes, "CONTROLLER_WORKRES": "3", "CONTROLLER_CONFIG": "x", "WORKERS": "9"})
    assert found.settings == Settings()
    assert found.suspects == {"CONTROLLER_WORKRES": "CONTROLLER_WORKERS"}
