"""One pass over several accounts and regions: one revision, every place for itself, and two that are one refused."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.app.compose import log_recorder
from controller.app.everywhere import apply, look
from controller.app.once import Order
from controller.core.pass_report import PassReport, Verdict
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.settings import Settings
from tests.acceptance.virtual import ACCOUNT, Aws, world
from tests.app.running import Clock, fleet
from tests.app.test_process import ROLE, WEST, denied, services, there

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def chosen(*targets: dict[str, Any], **more: Any) -> Settings:
    return Settings(**{"region": "us-east-1", "clusters": ("default",), "targets": targets, **more})


async def applied(*targets: dict[str, Any], **more: Any) -> PassReport:
    return await apply(chosen(*targets, **more), Clock(), log_recorder(), order=Order())


async def looked(*targets: dict[str, Any], **more: Any) -> PassReport:
    return await look(chosen(*targets, **more), Clock(), order=Order())


def both(aws: Aws) -> tuple[list[str], list[str]]:
    return services(aws), services(aws, "us-west-2")


async def test_each_place_gets_its_own_and_no_orphan_is_seen_across(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = {**fleet("bert"), "w1.yaml": there("bert", tag="2"), "w2.yaml": there("gpt")}
        report = await applied(WEST)
        assert both(aws) == (["bert"], ["bert", "gpt"])
        assert report.exit_code == 0
        assert {one.key.target for one in report.workloads} == {None, "west"}
        assert not any(one.verdict is Verdict.DELETE for one in (await looked(WEST)).workloads)
        del aws.source.files["w1.yaml"]
        (gone,) = (one for one in (await looked(WEST)).workloads if one.verdict is Verdict.DELETE)
        assert (gone.key.target, gone.key.name) == ("west", "bert")


@pytest.mark.parametrize("act", [applied, looked])
async def test_a_target_that_is_the_own_place_is_refused(
    act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = {**fleet("bert"), "w1.yaml": there("gpt")}
        with pytest.raises(ControllerError, match=f"are one place: us-east-1 of account {ACCOUNT}"):
            await act({**WEST, "region": "us-east-1"})
        assert aws.calls == []


async def test_what_goes_wrong_in_one_place_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.sts = denied
        aws.source.files = {**fleet("bert"), "w1.yaml": there("gpt")}
        report = await applied(ROLE)
        assert both(aws) == (["bert"], [])
        assert report.exit_code == 1
        (gpt,) = (one for one in report.workloads if one.key.target == "west")
        assert gpt.error is not None
        assert gpt.error.reason is Reason.ACCESS_DENIED
        (bert,) = (one for one in report.workloads if one.key.target is None)
        assert [str(step) for step in bert.done]
        assert bert.error is None


async def test_only_targets_need_no_region_of_the_controllers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as aws:
        aws.source.files = {"w1.yaml": there("gpt")}
        report = await applied(WEST, region=None, clusters=())
        assert both(aws) == ([], ["gpt"])
        assert report.exit_code == 0
        aws.source.files |= fleet("bert")
        report = await applied(WEST, region=None, clusters=())
        assert report.exit_code == 1, "a spec without a target is told that there is no region"
