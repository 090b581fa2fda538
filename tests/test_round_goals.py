"""The way from what a network takes to what is asked for, in rounds; and how that is asked."""

from __future__ import annotations

from itertools import pairwise

import pytest

from allotrope.config import Target
from allotrope.errors import UsageError
from allotrope.limits import limits_of, parse_latency, parse_size
from allotrope.verbs.pipeline.round_goals import AIM, FURTHER, MOST, Stand, next_goal

NOTHING = {"latency_ms": 0.0, "size_bytes": 0.0}


def way(target, latency, size=100.0, passes=lambda stand: True, reached=1.0):
    """The stands of rounds that each reach `reached` times their goal."""
    stands = [Stand(latency, size, passes=target == Target())]
    while (goal := next_goal(stands, target, NOTHING)) is not None:
        now = stands[-1]
        new_latency = goal.latency if goal.latency is not None else now.latency
        new_size = goal.size if goal.size is not None else now.size
        stand = Stand(reached * new_latency, reached * new_size, True, goal.cuts)
        fits = (target.max_latency or 1e9) >= stand.latency
        fits = fits and (target.max_size or 1e9) >= stand.size
        stands.append(Stand(stand.latency, stand.size, fits and passes(stand), goal.cuts))
    return stands


def test_a_target_that_is_near_takes_one_round_and_one_far_away_several():
    assert [stand.latency for stand in way(Target(0.5), 1.0)] == [1.0, pytest.approx(0.5 * AIM)]
    far = [stand.latency for stand in way(Target(0.01), 1.0)]
    assert len(far) == 4 and far[-1] == pytest.approx(0.01 * AIM)
    ratios = [fast / slow for slow, fast in pairwise(far)]
    assert ratios == pytest.approx([ratios[0]] * 3)


def test_both_limits_are_reached_at_once():
    last = way(Target(0.5, 20), 1.0, 100.0)[-1]
    assert last.latency <= 0.5 and last.size <= 20


def test_what_is_fast_enough_and_not_good_enough_trains_further_some_times():
    stands = way(Target(0.5), 1.0, passes=lambda stand: False)
    assert [stand.was_cut for stand in stands] == [True, True, *[False] * FURTHER]


def test_what_stays_too_slow_is_cut_again_to_an_end():
    stands = way(Target(0.5), 1.0, reached=1.2)
    assert len(stands) < MOST and stands[-1].passes


def test_without_a_limit_it_goes_on_until_too_much_is_lost():
    stands = way(Target(), 1.0, passes=lambda stand: stand.latency > 0.4)
    assert stands[-1].latency < 0.4 < stands[-2].latency


def test_nothing_is_aimed_at_below_what_is_possible():
    least = {"latency_ms": 0.49, "size_bytes": 0.0}
    goal = next_goal([Stand(1.0, 100.0, False)], Target(0.5), least)
    assert goal.latency == 0.49


def test_the_same_measurements_give_the_same_goal():
    stands = [Stand(1.0, 100.0, False), Stand(0.6, 50.0, False)]
    assert next_goal(stands, Target(0.2), NOTHING) == next_goal(stands, Target(0.2), NOTHING)


def test_limits_are_numbers_or_parts():
    asked = {"max_latency": "0.25x", "max_size": "200KB", "max_drop": None}
    target = limits_of(asked).target(0.8, 1e6)
    assert (target.max_latency, target.max_size, target.max_drop) == (0.2, 200_000, 0.5)
    asked = {"max_latency": "0.1ms", "max_size": "0.5x", "max_drop": 0}
    target = limits_of(asked).target(0.8, 1e6)
    assert (target.max_latency, target.max_size, target.max_drop) == (0.1, 500_000, 0)


@pytest.mark.parametrize("text", ["1x", "0x", "2.5x"])
def test_a_part_that_is_none_is_named(text):
    with pytest.raises(UsageError, match="is no part of what there is"):
        parse_latency(text)
    with pytest.raises(UsageError, match="is no part of what there is"):
        parse_size(text)


@pytest.mark.parametrize(("parse", "text"), [(parse_latency, "fast"), (parse_size, "small")])
def test_what_is_neither_is_named(parse, text):
    with pytest.raises(UsageError, match=text):
        parse(text)
