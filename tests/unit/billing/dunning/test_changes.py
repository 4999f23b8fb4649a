"""What dunning places and lifts, and that it touches nobody else's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from billing.contract_facts import Level, Origin
from billing.dunning.changes import Changes, changes_for, levels_by_run
from billing.dunning.facts import InForce

RESTRICTIONS = st.lists(
    st.builds(
        InForce,
        st.integers(1, 10**6),
        st.integers(1, 3),
        st.sampled_from(Origin),
        st.sampled_from(Level),
        st.booleans(),
    ),
    unique_by=lambda one: one.id,
    max_size=8,
)
LEVELS = st.dictionaries(st.integers(1, 3), st.sampled_from(Level))


@given(RESTRICTIONS, LEVELS)
def test_after_it_each_contract_is_limited_as_wanted_and_other_origins_are_as_before(restrictions, levels):
    changes = changes_for(restrictions, levels, pursued=True)

    left = [one for one in restrictions if one.id not in changes.lift]
    assert [one for one in left if one.origin is not Origin.DUNNING or one.by_person] == [
        one for one in restrictions if one.origin is not Origin.DUNNING or one.by_person
    ]
    by_run = [(one.contract_id, one.level) for one in left if one.origin is Origin.DUNNING and not one.by_person]
    assert sorted([*by_run, *changes.place]) == sorted(levels.items())


@given(RESTRICTIONS)
def test_when_the_debt_is_paid_all_of_dunning_goes_and_nothing_else(restrictions):
    dunning = tuple(sorted(one.id for one in restrictions if one.origin is Origin.DUNNING))

    assert changes_for(restrictions, {}, pursued=False) == Changes((), dunning)


def test_what_is_there_is_not_placed_again():
    walled = InForce(7, 1, Origin.DUNNING, Level.WALLED)

    assert changes_for([walled], {1: Level.WALLED}, pursued=True) == Changes((), ())
    assert changes_for([walled], {1: Level.BLOCKED}, pursued=True) == Changes(((1, Level.BLOCKED),), (7,))
    assert levels_by_run([walled, InForce(8, 1, Origin.DUNNING, Level.THROTTLE)]) == {1: Level.WALLED}
    assert levels_by_run([InForce(8, 1, Origin.ABUSE, Level.BLOCKED)]) == {}
