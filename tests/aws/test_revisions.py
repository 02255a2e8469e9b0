"""Revisions that were read before."""

from controller.aws.revisions import IDLE, KnownRevisions
from controller.core.live import Revision


def revision(arn: str) -> Revision:
    return Revision(wire={"taskDefinitionArn": arn})


def test_what_was_read_is_known_and_nothing_else() -> None:
    known = KnownRevisions()
    known.put("a", revision("a"), 0.0)
    assert known.get("a", 1.0) == revision("a")
    assert known.get("b", 1.0) is None


def test_what_is_asked_for_in_every_pass_stays_and_what_is_idle_goes() -> None:
    known = KnownRevisions()
    for arn in ("used", "idle"):
        known.put(arn, revision(arn), 0.0)
    now = 0.0
    while now <= 3 * IDLE:
        now += 60.0
        assert known.get("used", now) is not None
        known.put("new", revision("new"), now)
    assert known.get("idle", now) is None
    assert len(known) == 2


def test_a_use_at_the_last_moment_counts() -> None:
    known = KnownRevisions()
    known.put("a", revision("a"), 0.0)
    assert known.get("a", IDLE) is not None
    known.put("b", revision("b"), 2 * IDLE)
    assert known.get("a", 2 * IDLE) is not None
    known.put("c", revision("c"), 3 * IDLE + 1)
    assert known.get("a", 3 * IDLE + 1) is None
