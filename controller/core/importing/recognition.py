"""Gaudi settings that are spelled out in a task definition, recognised back into `gaudi:`.

Nothing is guessed from the looks of a value. The variables of the containers say which sets of cards may be meant; each
set is tried with each tuning, isolation and EFA, the most first, and the first is kept that the renderer turns into
exactly the task definition that is there. What `gaudi` then says already is left out by `lean`, as every default is.
Neighbours: `trial` (renders), `document` (asks), `core.gaudi` (knows what a setting adds).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.core.gaudi.cards import CARDS_PER_INSTANCE, COUNTS, VISIBLE_DEVICES, VISIBLE_MODULES
from controller.core.importing.trial import Trial
from controller.core.spec import Gaudi, Isolation, Tuning

_CARDS: Final = re.compile(r"[0-7](,[0-7])*")


def recognised(trial: Trial, register: Mapping[str, Any]) -> Gaudi | None:
    """The settings that mean what stands in a RegisterTaskDefinition request; None where none does so exactly."""
    wanted = trial.task_definition(register, None)
    for holder, visible in _holders(register):
        without = _without_visibility(register, holder)
        for gaudi in _candidates(holder, visible):
            if wanted is not None and trial.task_definition(without, gaudi) == wanted:
                return gaudi
    return None


def _holders(register: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Containers that name cards, and the variables by which they do."""
    for container in register.get("containerDefinitions") or ():
        environment = container.get("environment") or ()
        visible = {one["name"]: str(one.get("value") or "") for one in environment if _is_visibility(one)}
        if visible.get(VISIBLE_DEVICES):
            yield str(container.get("name")), visible


def _is_visibility(variable: Mapping[str, Any]) -> bool:
    return variable.get("name") in (VISIBLE_DEVICES, VISIBLE_MODULES)


def _without_visibility(register: Mapping[str, Any], holder: str) -> dict[str, Any]:
    """The request without the variables of one container that name cards, so that only `gaudi` says which it has."""
    return {
        **register,
        "containerDefinitions": [
            {**one, "environment": [v for v in one.get("environment") or () if not _is_visibility(v)]}
            if one.get("name") == holder
            else one
            for one in register["containerDefinitions"]
        ],
    }


def _candidates(holder: str, visible: Mapping[str, str]) -> Iterator[Gaudi]:
    """All settings that may be meant, those that say most first; the container is named only where it must be."""
    for cards in _card_sets(visible):
        for efa in (True, False):
            for isolation in Isolation:
                for tuning in (Tuning.RECOMMENDED, Tuning.MINIMAL):
                    for container in (None, holder):
                        yield Gaudi(**cards, efa=efa, isolation=isolation, tuning=tuning, container=container)


def _card_sets(visible: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    modules, devices = _listed(visible.get(VISIBLE_MODULES, "")), _listed(visible[VISIBLE_DEVICES])
    if modules is not None and len(modules) < CARDS_PER_INSTANCE:
        yield {"modules": modules}
    if devices is not None and len(devices) < CARDS_PER_INSTANCE:
        yield {"devices": devices}
    yield {"cards": CARDS_PER_INSTANCE}


def _listed(text: str) -> tuple[int, ...] | None:
    """The cards of a clean list of as many as a task can use."""
    cards = tuple(sorted({int(card) for card in text.split(",")})) if _CARDS.fullmatch(text) else ()
    return cards if len(cards) in COUNTS else None
