"""Gaudi cards inside the simulated containers: who may open which, and how it ends when two want the same.

ECS knows nothing of cards. A container that sets HABANA_VISIBLE_DEVICES is a Gaudi container; its process opens the
cards it can see a few seconds after it runs, the first to open a card has it until its container has stopped. Facts:
habana-container-runtime (values and their effects), linux drivers/accel/habanalabs (one compute context per card),
synStatus texts from public reports. An index and the module of the same number are one card here; on a real host the
map differs and is unknown. Neighbours: `tasks` (asks when a task runs).
"""

import re
from dataclasses import dataclass

from controller.sandbox.images import is_smoke_test
from controller.sandbox.wire import Wire

BUSY = "synStatus=20 [Device already acquired]. Device acquire failed."
ABSENT = "RuntimeError: Device acquire failed. No Habana device is visible."
HOOK = (
    "CannotStartContainerError: Error response from daemon: failed to create task for container: error running hook: "
    "habana-container-hook: device value must be a number"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a container wants: cards to open, or the reason why it cannot even be created."""

    cards: frozenset[int] = frozenset()
    needs_driver: bool = False
    """Fails on a host without cards, whether it opens any or not."""
    refused: str | None = None


def claim(container: Wire, *, cards: int) -> Claim:
    """The claim of a container definition (overrides applied) on a host with so many cards."""
    environment = {variable["name"]: variable.get("value", "") for variable in container.get("environment", ())}
    devices = environment.get("HABANA_VISIBLE_DEVICES")
    if devices is None or devices in ("", "none"):
        return Claim()
    if cards == 0:
        return Claim(needs_driver=True)
    if re.search(r"\s", devices):
        return Claim(refused=HOOK)
    mounted = frozenset(range(cards)) if devices == "all" else _numbers(devices) & frozenset(range(cards))
    modules = environment.get("HABANA_VISIBLE_MODULES")
    chosen = mounted & _numbers(modules) if modules else mounted
    if is_smoke_test(container):
        return Claim(needs_driver=True)
    return Claim(cards=chosen, needs_driver=True)


def open_cards(
    claims: list[tuple[str, Claim]], *, held: frozenset[int], cards: int
) -> tuple[frozenset[int], dict[str, str]]:
    """Let the containers of a task open their cards in turn: the cards they got, and what the losers die of."""
    got: frozenset[int] = frozenset()
    losers: dict[str, str] = {}
    for name, wanted in claims:
        if not wanted.needs_driver:
            continue
        if cards == 0:
            losers[name] = ABSENT
        elif wanted.cards & (held | got):
            losers[name] = BUSY
        else:
            got |= wanted.cards
    return got, losers


def _numbers(text: str) -> frozenset[int]:
    """The numbers of a comma list; what is none is dropped silently, as the runtime does."""
    return frozenset(int(part) for part in text.split(",") if part.isascii() and part.isdigit())
