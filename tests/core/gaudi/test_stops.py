"""Why a task died: the quoted symptoms of public threads and of ECS's own messages, each with what to do next."""

import pytest

from controller.core.gaudi.stops import LOOP, of_service, of_task, of_text
from controller.core.gaudi.symptoms import ALL
from controller.reasons import Reason

GENTLE = True
PULL = "CannotPullContainerError: "
DAEMON = PULL + "Error response from daemon: "
START = "CannotStartContainerError: "
NO_DEVICE = 'error gathering device information while adding custom device "/dev/infiniband/uverbs0": no such file'
NO_GROUP = "failed to initialize logging driver: ResourceNotFoundException: The specified log group does not exist."


@pytest.mark.parametrize(
    ("text", "reason", "retryable"),
    [
        # huggingface/tgi-gaudi #54, #93: two containers with HABANA_VISIBLE_DEVICES=all
        ("RuntimeError: synStatus=20 [Device already acquired] Device acquire failed.", Reason.CARD_TAKEN, False),
        # linux drivers/accel/habanalabs, hl_device_open
        ("habanalabs hl0: Can't open hl0 because another user is working on it", Reason.CARD_TAKEN, False),
        ("Can't open hl3 because it is still releasing device", Reason.CARD_RELEASING, GENTLE),
        ("open /dev/hl2: Resource temporarily unavailable", Reason.CARD_RELEASING, GENTLE),
        ("open /dev/accel/accel2 failed: EAGAIN", Reason.CARD_RELEASING, GENTLE),
        ("open of hl0 failed: device disabled", Reason.CARD_BROKEN, False),
        # optimum-habana #1611: driver == image, 1.18
        ("synStatus=26 [Generic failure] Device acquire failed.", Reason.CARD_BROKEN, False),
        # HabanaAI/Setup_and_Install #1
        ("habanalabs hl1: Device is NOT usable (CPU-CP timeout)", Reason.CARD_BROKEN, False),
        # optimum-habana #288: DLAMI "PyTorch 1.10.2 SynapseAI 1.4.0", image 1.10.0
        ("RuntimeError: Device acquire failed.", Reason.DRIVER_MISMATCH, False),
        ("RuntimeError: Device acquire failed. No Habana device is visible.", Reason.NO_CARD_VISIBLE, False),
        # Model-References #28, #7
        ("docker: Error response from daemon: Unknown runtime specified habana.", Reason.RUNTIME_MISSING, False),
        ("Error response from daemon: unknown or invalid runtime name: habana", Reason.RUNTIME_MISSING, False),
        # habana-container-runtime, the hook's command line
        ("error running hook: habana-container-hook: device value must be a number", Reason.BAD_VISIBILITY, False),
        # GenAIExamples #739
        ("exposing interfaces: failed creating temporary link on host", Reason.CARD_TAKEN, False),
        # GenAIExamples #137
        ("hl-smi: habanalabs driver is not loaded or no AIPs available", Reason.DRIVER_MISSING, False),
        # HABANA_RUNTIME_ERROR from 1.23 on
        ("HABANA_RUNTIME_ERROR=no accelerators found", Reason.NO_CARD_VISIBLE, False),
        # optimum-habana #1089, #1108
        ("RuntimeError: device not found", Reason.NO_CARD_VISIBLE, False),
        # aws-ofi-nccl #879
        ("fi_getinfo: -61 (No data available)", Reason.EFA_NOT_VISIBLE, False),
        (START + NO_DEVICE, Reason.EFA_NOT_VISIBLE, False),
        # HabanaAI/HCL hl_ofi.cpp
        ("HCCL ERROR: hcclLibfabricError", Reason.SCALE_OUT_FAILED, False),
    ],
)
def test_what_gaudi_says(text, reason, retryable):
    found = of_text(text)
    assert found is not None
    assert (found.reason, found.retryable) == (reason, retryable)


@pytest.mark.parametrize(
    ("text", "reason", "retryable"),
    [
        (PULL + "failed to resolve ref x:1: not found: manifest unknown", Reason.IMAGE_NOT_FOUND, False),
        (DAEMON + "manifest for x:1 not found", Reason.IMAGE_NOT_FOUND, False),
        (DAEMON + "pull access denied for x, repository does not exist", Reason.IMAGE_DENIED, False),
        (DAEMON + "Get https://7.dkr.ecr.x.amazonaws.com/v2/: no basic auth", Reason.IMAGE_DENIED, False),
        (PULL + "failed to authorize: 403 Forbidden", Reason.IMAGE_DENIED, False),
        (PULL + "toomanyrequests: You have reached your pull rate limit", Reason.PULL_LIMITED, GENTLE),
        (DAEMON + "request canceled while waiting for connection", Reason.IMAGE_UNREACHABLE, GENTLE),
        (DAEMON + "Client.Timeout exceeded while awaiting headers", Reason.IMAGE_UNREACHABLE, GENTLE),
        (PULL + "dial tcp: lookup vault.habana.ai on 10.0.0.2:53: no such host", Reason.IMAGE_UNREACHABLE, GENTLE),
        (PULL + "context canceled", Reason.IMAGE_UNREACHABLE, GENTLE),
        (PULL + "write /var/lib/docker/tmp/x: no space left on device", Reason.DISK_FULL, False),
        (PULL + "does not contain descriptor matching platform 'linux/amd64'", Reason.IMAGE_NOT_FOUND, False),
        (PULL + "something new", Reason.IMAGE_UNREACHABLE, GENTLE),
        ("ResourceInitializationError: unable to pull secrets or registry auth", Reason.PARAMETER_UNREADABLE, False),
        (START + NO_GROUP, Reason.LOG_GROUP_MISSING, False),
        (START + 'exec: "trian": executable file not found in $PATH', Reason.COMMAND_NOT_FOUND, False),
        (START + "OCI runtime create failed: something else", Reason.CANNOT_START, False),
        ("Bind for 0.0.0.0:8080 failed: port is already allocated", Reason.PORTS_TAKEN, False),
        ("OutOfMemoryError: Container killed due to memory usage", Reason.OUT_OF_MEMORY, False),
        ("Host EC2 (instance i-0123456789) terminated.", Reason.HOST_LOST, GENTLE),
        ("Task failed container health checks", Reason.UNHEALTHY, False),
        ("Task failed ELB health checks in (target-group arn:aws:x)", Reason.UNHEALTHY, False),
    ],
)  # fmt: skip
def test_what_docker_and_the_agent_say(text, reason, retryable):
    found = of_text(text)
    assert found is not None
    assert (found.reason, found.retryable) == (reason, retryable)


UNABLE = "(service bert) was unable to place a task because no container instance met all of its requirements. "
CLOSEST = UNABLE + "The closest matching (container-instance ab) "


@pytest.mark.parametrize(
    ("text", "reason", "retryable"),
    [
        ("RESOURCE:PORTS", Reason.PORTS_TAKEN, GENTLE),
        ("RESOURCE:MEMORY", Reason.NO_CAPACITY, GENTLE),
        ("RESOURCE:CPU", Reason.NO_CAPACITY, GENTLE),
        ("RESOURCE:GPU", Reason.NO_CAPACITY, False),
        ("AGENT", Reason.AGENT_DISCONNECTED, GENTLE),
        ("ATTRIBUTE", Reason.CONSTRAINT_UNSATISFIED, False),
        ("MemberOf placement constraint unsatisfied.", Reason.CONSTRAINT_UNSATISFIED, False),
        ("TaskFailedToStart: EMPTY CAPACITY PROVIDER", Reason.NO_CAPACITY, GENTLE),
        (CLOSEST + "is already using a port required by your task.",
         Reason.PORTS_TAKEN, GENTLE),
        (CLOSEST + "has insufficient memory available.",
         Reason.NO_CAPACITY, GENTLE),
        (CLOSEST + "is missing an attribute required by your task.",
         Reason.CONSTRAINT_UNSATISFIED, False),
        (CLOSEST + 'encountered error "AGENT".',
         Reason.AGENT_DISCONNECTED, GENTLE),
        (CLOSEST + 'encountered error "DistinctInstance placement constraint unsatisfied.".',
         Reason.NO_CAPACITY, GENTLE),
        (UNABLE + "Reason: No Container Instances were found in your cluster.", Reason.NO_CAPACITY, GENTLE),
        ("(service bert) is unable to consistently start tasks successfully.", Reason.NO_CAPACITY, GENTLE),
    ],
)  # fmt: skip
def test_what_placement_says(text, reason, retryable):
    found = of_text(text)
    assert found is not None
    assert (found.reason, found.retryable) == (reason, retryable)


@pytest.mark.parametrize(
    "text",
    [
        "(service bert) has reached a steady state.",
        "AttributeError: module 'habana' has no attribute 'x'",
        "the agent said nothing",
        "Essential container in task exited",
        "",
    ],
)
def test_what_is_no_symptom(text):
    assert of_text(text) is None


def test_every_row_ends_with_one_sentence():
    for row in ALL:
        assert row.action.endswith(".")
        assert row.action[0].isupper()
        assert ". " not in row.action.replace("…", "")


# Tasks --------------------------------------------------------------------------------------------------------------


def stopped(*codes, code="EssentialContainerExited", reason="Essential container in task exited", **members):
    containers = [{"name": f"c{at}", "exitCode": value} for at, value in enumerate(codes) if value is not None]
    return {"lastStatus": "STOPPED", "stopCode": code, "stoppedReason": reason, "containers": containers, **members}


@pytest.mark.parametrize(
    ("code", "reason", "says"),
    [
        (0, Reason.COMPLETED, "work that does not end"),
        (1, Reason.CRASHED, "Read the log"),
        (127, Reason.COMMAND_NOT_FOUND, "no such program"),
        (134, Reason.CRASHED, "HCCL_GAUDI_DIRECT without HCCL_OVER_OFI"),
        (137, Reason.KILLED, "Raise the memory"),
        (139, Reason.CRASHED, "driver and image"),
    ],
)
def test_exit_codes(code, reason, says):
    found = of_task(stopped(code))
    assert found is not None
    assert (found.reason, says in found.action) == (reason, True)
    assert found.evidence == f"container c0 ended with exit code {code}"


def test_the_container_that_failed_tells_not_the_one_that_was_stopped_with_it():
    found = of_task(stopped(143, 1))
    assert found is not None
    assert found.evidence == "container c1 ended with exit code 1"


def test_out_of_memory_is_told_by_the_reason_beside_137():
    task = stopped(137)
    task["containers"][0]["reason"] = "OutOfMemoryError: Container killed due to memory usage"
    found = of_task(task)
    assert found is not None
    assert (found.reason, found.retryable) == (Reason.OUT_OF_MEMORY, False)
    assert "137" in found.action


def test_the_log_tells_more():
    found = of_task(stopped(1), logs=["loading", "RuntimeError: synStatus=20 [Device already acquired]"])
    assert found is not None
    assert found.reason is Reason.CARD_TAKEN
    assert "isolation: hostPorts" in found.action


def test_a_log_line_is_no_message_of_ecs():
    found = of_task(stopped(1), logs=["RESOURCE:PORTS", "CannotPull"])
    assert found is not None
    assert found.reason is Reason.CRASHED


def test_what_ended_on_purpose_is_no_death():
    assert of_task(stopped(143, code="UserInitiated", reason="Task stopped by user")) is None
    assert (
        of_task(stopped(0, code="ServiceSchedulerInitiated", reason="Scaling activity initiated by (deployment x)"))
        is None
    )
    unhealthy = of_task(stopped(143, code="ServiceSchedulerInitiated", reason="Task failed container health checks"))
    assert unhealthy is not None
    assert unhealthy.reason is Reason.UNHEALTHY


def test_what_runs_has_no_verdict():
    assert of_task({"lastStatus": "RUNNING", "containers": [{"name": "a"}]}) is None


def test_interruptions_are_told_by_their_code():
    found = of_task(stopped(137, code="SpotInterruption", reason="Your Spot Task was interrupted."))
    assert found is not None
    assert (found.reason, found.retryable) == (Reason.HOST_LOST, True)


def test_what_never_started_and_says_nothing_known():
    found = of_task(stopped(code="TaskFailedToStart", reason="Something new"))
    assert found is not None
    assert (found.reason, found.evidence) == (Reason.CANNOT_START, "Something new")


def test_a_service_that_ends_with_0_again_and_again():
    found = of_service([stopped(0)] * LOOP)
    assert found is not None
    assert (found.reason, found.retryable) == (Reason.RESTART_LOOP, False)
    assert "DL1Job" in found.action
    once = of_service([stopped(0)])
    assert once is not None
    assert once.reason is Reason.COMPLETED
    mixed = of_service([stopped(0), stopped(1), stopped(0)])
    assert mixed is not None
    assert mixed.reason is Reason.COMPLETED
    assert of_service([]) is None


def test_evidence_is_masked_and_cut():
    found = of_text("CannotPullContainerError: https://user:hunter2secret@registry/x " + "y" * 1000)
    assert found is not None
    assert "hunter2secret" not in found.evidence
    assert len(found.evidence) <= 300


def test_the_sandbox_dies_of_what_is_known():
    from controller.sandbox.cards import ABSENT, BUSY, HOOK

    known = [of_text(text) for text in (BUSY, ABSENT, HOOK)]
    assert [one.reason for one in known if one] == [
        Reason.CARD_TAKEN,
        Reason.NO_CARD_VISIBLE,
        Reason.BAD_VISIBILITY,
    ]
