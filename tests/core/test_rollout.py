"""The arithmetic by which a service can roll, or cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.rollout import Percentages, without_spare_room


@pytest.mark.parametrize(
    ("minimum", "maximum", "desired", "lower", "upper", "moves"),
    [
        (100, 200, 1, 1, 2, True),
        (100, 100, 1, 1, 1, False),
        (100, 100, 4, 4, 4, False),
        (0, 100, 1, 0, 1, True),
        (50, 100, 1, 1, 1, False),
        (50, 100, 2, 1, 2, True),
        (75, 100, 4, 3, 4, True),
        (100, 150, 1, 1, 1, False),
        (100, 150, 2, 2, 3, True),
        (100, 100, 0, 0, 0, True),
    ],
)
def test_bounds(minimum: int, maximum: int, desired: int, lower: int, upper: int, moves: bool) -> None:
    percentages = Percentages(minimum, maximum)
    assert (percentages.lower(desired), percentages.upper(desired)) == (lower, upper)
    assert percentages.can_move(desired) is moves


@given(st.integers(1, 5000))
def test_a_service_that_fills_its_instances_can_always_roll_one_by_one(desired: int) -> None:
    percentages = without_spare_room(desired)
    assert percentages.can_move(desired)
    assert not percentages.starts_first(desired)
    assert percentages.lower(desired) == desired - 1 or desired > 100
    assert percentages.lower(desired) >= desired - 1 - desired // 100


@pytest.mark.parametrize("desired", [None, 0])
def test_an_unknown_count_may_be_one(desired: int | None) -> None:
    assert without_spare_room(desired) == Percentages(0, 100)
