"""Who has which of the eight cards of an instance, and what is left of them.

ECS does not know; it follows from the tasks on the instance and their definitions. A card that two tasks name is an
alarm. A card that none names costs as much as one that works, and free cards that form no pair or quad of Habana's can
only serve jobs of fewer cards. Sets that are named by device index are shown at the same numbers as modules, which a
host may have in another order. Neighbours: `tasks`, `instances`, `fleet` (puts all instances together).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.core.gaudi.cards import CARDS_PER_INSTANCE, GROUPS, Naming
from controller.core.gaudi.catalogue import dl1
from controller.core.gaudi.instances import Instance
from controller.core.gaudi.tasks import LiveTask


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One DL1 instance and its cards."""

    instance: Instance
    holders: tuple[tuple[LiveTask, ...], ...]
    """For each card the tasks that name it."""

    @property
    def free(self) -> frozenset[int]:
        """Cards that no task names."""
        return frozenset(card for card, tasks in enumerate(self.holders) if not tasks)

    @property
    def idle(self) -> bool:
        """Whether no task names any card."""
        return len(self.free) == CARDS_PER_INSTANCE

    @property
    def contested(self) -> dict[int, tuple[LiveTask, ...]]:
        """Cards that more than one task names; the one that came later has died or will."""
        return {card: tasks for card, tasks in enumerate(self.holders) if len(tasks) > 1}

    @property
    def by_index(self) -> bool:
        """Whether some set is named by device index, so that its numbers here may be other modules."""
        tasks = {task for holders in self.holders for task in holders}
        return any(cards.naming is Naming.DEVICES for task in tasks for cards in task.demand.cards)

    def groups(self, size: int) -> tuple[tuple[int, ...], ...]:
        """Habana's groups of this size (1, 2, 4 or 8) of which every card is free."""
        whole = (tuple(range(CARDS_PER_INSTANCE)),)
        among = GROUPS.get(size, whole if size == CARDS_PER_INSTANCE else tuple((card,) for card in range(8)))
        return tuple(group for group in among if self.free.issuperset(group))

    @property
    def stranded(self) -> frozenset[int]:
        """Free cards of an instance in use whose partner in every pair is taken: they are for single-card work only."""
        if self.idle:
            return frozenset()
        paired = {card for pair in self.groups(2) for card in pair}
        return self.free - paired

    @property
    def usd_per_hour(self) -> float:
        """What the free cards cost, as a share of the on-demand price of the instance (us-east-1)."""
        return dl1().usd_per_hour * len(self.free) / CARDS_PER_INSTANCE

    def remarks(self) -> tuple[str, ...]:
        """What is worth telling about the cards, in words."""
        found = [f"{_cards(card)} named by {_names(tasks)}" for card, tasks in self.contested.items()]
        if self.idle:
            found.append(f"no task uses a card: ${self.usd_per_hour:.2f} an hour for nothing")
        elif self.free:
            text = f"{_cards(*sorted(self.free))} used by no task: ${self.usd_per_hour:.2f} an hour"
            if self.stranded:
                text += f"; {_cards(*sorted(self.stranded))} in no pair that is free"
            elif len(self.free) >= 4 and not self.groups(4):
                text += "; no four of them are a group"
            found.append(text)
        if self.by_index:
            found.append("some cards are named by device index; which module that is differs from host to host")
        return tuple(found)


def occupancy(instance: Instance, tasks: Iterable[LiveTask]) -> Occupancy:
    """The cards of an instance, by the tasks of its cluster."""
    holders: list[list[LiveTask]] = [[] for _ in range(CARDS_PER_INSTANCE)]
    for task in tasks:
        if task.holds and task.instance == instance.arn:
            for card in sorted({card for cards in task.demand.cards for card in cards.cards}):
                holders[card].append(task)
    return Occupancy(instance, tuple(tuple(tasks) for tasks in holders))


def _cards(*cards: int) -> str:
    numbers = ", ".join(map(str, cards))
    return f"card {numbers} is" if len(cards) == 1 else f"cards {numbers} are"


def _names(tasks: Iterable[LiveTask]) -> str:
    return " and ".join(f"{task.group} ({task.short})" for task in tasks)
