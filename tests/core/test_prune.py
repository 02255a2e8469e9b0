"""Nothing is deleted that should not be: every guard from both sides."""

import pytest

from controller.core.live import LiveService
from controller.core.plan import DeleteService, ScaleToZero, TagService
from controller.core.prune import SourceHealth, orphans_of, plan_orphans
from controller.core.workload import Key
from controller.reasons import Reason

HEALTHY = SourceHealth(complete=True, workloads=3)


def service(
    name: str, *, desired: int = 1, status: str = "ACTIVE", owner: str | None = "me", **tags: str
) -> LiveService:
    owned = {"dl1.ecs/owner": owner} if owner else {}
    pairs = [{"key": key, "value": value} for key, value in {**owned, **tags}.items()]
    return LiveService({
        "serviceName": name, "serviceArn": f"a/{name}", "status": status, "desiredCount": desired, "tags": pairs,
    })  # fmt: skip


def orphans(*services: LiveService) -> dict[Key, LiveService]:
    return {Key("c", one.name): one for one in services}


def test_scale_down_then_delete() -> None:
    (planned,) = plan_orphans(orphans(service("a", desired=2)), owned=1, source=HEALTHY)
    assert planned.steps == (ScaleToZero(planned.key), DeleteService(planned.key))


def test_what_is_scaled_down_is_deleted() -> None:
    (planned,) = plan_orphans(orphans(service("a", desired=0)), owned=1, source=HEALTHY)
    assert planned.steps == (DeleteService(planned.key),)


@pytest.mark.parametrize(
    "source", [SourceHealth(complete=False, workloads=3), SourceHealth(complete=True, workloads=0)]
)
def test_a_doubtful_source_deletes_nothing(source: SourceHealth) -> None:
    (planned,) = plan_orphans(orphans(service("a")), owned=1, source=source)
    assert planned.steps == ()
    assert [hold.reason for hold in planned.holds] == [Reason.DELETE_HELD]


@pytest.mark.parametrize(("owned", "deleted"), [(1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (100, 5)])
def test_a_pass_deletes_at_most_a_tenth_and_at_least_one(owned: int, deleted: int) -> None:
    plans = plan_orphans(orphans(*(service(f"s{n}") for n in range(5))), owned=owned, source=HEALTHY)
    assert sum(bool(planned.steps) for planned in plans) == min(deleted, 5)
    assert all(planned.holds[0].after is not None for planned in plans if not planned.steps)


def test_a_draining_service_is_left_alone_and_costs_no_allowance() -> None:
    gone, next_one = plan_orphans(orphans(service("a", status="DRAINING"), service("b")), owned=2, source=HEALTHY)
    assert (gone.steps, bool(next_one.steps)) == ((), True)


def test_on_delete_orphan_lets_go_and_keeps_foreign_tags() -> None:
    one = service("a", **{"dl1.ecs/on-delete": "orphan", "dl1.ecs/digest": "d", "team": "nlp"})
    (planned,) = plan_orphans(orphans(one), owned=1, source=HEALTHY)
    assert planned.steps == (TagService(planned.key, remove=("dl1.ecs/digest", "dl1.ecs/on-delete", "dl1.ecs/owner")),)
    (held,) = plan_orphans(orphans(one), owned=1, source=SourceHealth(complete=False, workloads=1))
    assert held.steps == ()


def test_only_what_carries_our_tag_and_has_no_spec_is_an_orphan() -> None:
    services = [
        service("kept"), service("gone"), service("theirs", owner="other"), service("nobodys", owner=None),
    ]  # fmt: skip
    found = orphans_of(services, cluster="c", target=None, owner="me", wanted=[Key("c", "kept")])
    assert list(found) == [Key("c", "gone")]
