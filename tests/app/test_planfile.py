"""A plan that is carried out while somebody else writes: each key is looked at again before its first write, and what
is not in the plan is not written."""

import pytest

from controller.app import once
from controller.app.once import Order
from controller.app.planfile import only_steps_of
from controller.core.pass_report import Exit
from controller.core.workload import Key
from controller.reasons import Reason
from controller.reconcile.reconciler import Reconciler
from controller.settings import Settings
from tests.app.running import Clock, Log, Specs, cloud, fleet, spec

pytestmark = pytest.mark.looptime
BERT = Key("default", "bert")
SETTINGS = Settings(clusters=("default",))


async def look(on, source):
    return await once.look(source, on.reader(), Clock(), SETTINGS, order=Order())


async def carry_out(on, source, planned, **order):
    """As `planfile.apply` does after it has compared."""
    reconciler = Reconciler(on.gateway(), Clock(), Log(), SETTINGS.owner, agreed=only_steps_of(planned))
    only = frozenset(one.key for one in planned.workloads if one.plan.steps)
    return await once.apply(source, reconciler, SETTINGS, order=Order(only=only, **order))


async def test_what_somebody_writes_in_between_is_not_overwritten():
    on, source = cloud(), Specs(fleet("bert", "other"))
    await carry_out(on, source, await look(on, source))
    source.commit({"bert.yaml": spec("bert", replicas=3), "other.yaml": spec("other", replicas=3)})
    planned = await look(on, source)
    on.hand("UpdateService", cluster="default", service="bert", deploymentConfiguration={"maximumPercent": 150})
    report = await carry_out(on, source, planned)
    assert report.exit_code is Exit.ERROR
    errors = {str(one.key): one.error.reason for one in report.workloads if one.error}
    assert errors == {"default/bert": Reason.PLAN_STALE}
    assert on.service("bert")["desiredCount"] == 1
    assert on.service("other")["desiredCount"] == 3


async def test_what_is_not_in_the_plan_waits_for_another_one():
    """A dependency becomes ready while the plan waits for rollouts: the dependent was not in the plan."""
    on = cloud()
    source = Specs({**fleet("bert"), **fleet("later", reconcile="dependsOn: [default/bert]")})
    planned = await look(on, source)
    assert [str(one.key) for one in planned.workloads if one.plan.steps] == ["default/bert"]
    report = await carry_out(on, source, planned, wait=True)
    assert report.exit_code is Exit.DONE
    assert on.statuses("bert", "later") == ["ACTIVE", "MISSING"]


async def test_the_rest_of_a_plan_is_the_plan():
    """A crash in the middle leaves steps that were agreed on."""
    on, source = cloud(), Specs(fleet("bert"))
    planned = await look(on, source)

    def fails(operation, _):
        if operation == "CreateService":
            raise RuntimeError("gone")

    on.before = fails
    broken = await carry_out(on, source, planned)
    assert broken.exit_code is Exit.ERROR
    on.before = None
    assert (await carry_out(on, source, planned)).exit_code is Exit.DONE
    assert on.count()["RegisterTaskDefinition"] == 1
