"""`docs/spec.md` is of today's models, tells every member, and says of each what a change does."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from controller.core.schema import KINDS
from controller.core.spec_page import effect, members, page


def test_the_page_is_of_today() -> None:
    assert (Path(__file__).parents[2] / "docs" / "spec.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("kind", KINDS)
def test_every_member_has_a_row_a_meaning_and_an_effect(kind: str) -> None:
    told = {path.replace("[]", ""): member for path, member in members(kind)}
    assert {path for path, _ in _of_models(KINDS[kind], "")} == told.keys()
    assert all(member.get("description") for member in told.values())
    assert all(effect(kind, path) for path in told)


@pytest.mark.parametrize(
    ("kind", "path", "does"),
    [
        ("DL1Service", "spec.gaudi.cards", "new revision"),
        ("DL1Service", "spec.replicas", "no restart"),
        ("DL1Job", "spec.gaudi.cards", "a new run"),
        ("DL1Job", "spec.backoffLimit", "no new run"),
    ],
)
def test_what_a_change_does_is_said_by_the_nearest(kind: str, path: str, does: str) -> None:
    assert does in effect(kind, path)


def test_a_member_of_which_nothing_is_said_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"DL1Service metadata\.annotations"):
        effect("DL1Service", "metadata.annotations")


@pytest.mark.parametrize("member", ["taskDefinition", "runTask", "gaudi", "nodes", "completions", "runId"])
def test_a_new_run_is_told_of_what_names_a_run(member: str) -> None:
    """The same members as `core.jobs.identity.uid_of` digests."""
    assert effect("DL1Job", f"spec.{member}").startswith("a new run")


def _of_models(model: Any, prefix: str) -> Any:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        if path not in ("metadata", "spec"):
            yield path, field
        for inner in _models(field.annotation):
            yield from _of_models(inner, f"{path}.")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for argument in getattr(annotation, "__args__", ()) for one in _models(argument)]
