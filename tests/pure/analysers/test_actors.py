"""Actor hypotheses add up from their evidence, know when they do not know, and are edited beside what was computed."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.analysers import actors, competing
from tocsin.analysers.actors import Profile, Profiles
from tocsin.analysers.competing import Change
from tocsin.analysers.contract import UNKNOWN, Finding
from tocsin.analysers.parameters import shipped

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SMALL = Profiles(
    [
        Profile("Ash", frozenset({"T1059.001", "T1105", "software:Alder", "T1566.001", "T1486"}), 3),
        Profile("Beech", frozenset({"T1059.003", "T1105", "software:Birch", "T1486"}), 2),
        Profile("Cedar", frozenset({"T1105", "T1110", "T1190", "software:Common"}), 1),
        Profile("Daphne", frozenset({"T1105", "T1190", "software:Common"}), 1),
    ]
)
FEATURES = st.sets(
    st.sampled_from(
        ["T1059", "T1059.001", "T1059.007", "T1105", "T1486", "T9999", "software:Alder", "software:Birch",
         "software:New", "victim:hospital", "odd", "T"]
    ),
    max_size=8,
)  # fmt: skip


def asked(features: set[str], profiles: Profiles = SMALL) -> Finding:
    return actors.hypotheses("case--1", dict.fromkeys(features, ("report--1",)), NOW, profiles)


@given(FEATURES)
def test_a_score_is_the_sum_of_its_evidence_and_probabilities_add_up(features: set[str]) -> None:
    finding = asked(features)
    assert actors.NOTE in finding.notes
    assert math.fsum(each.probability or 0 for each in finding.hypotheses) == pytest.approx(1)
    for each in finding.hypotheses:
        if each.answer != UNKNOWN:
            assert math.fsum(one.weight for one in each.evidence) == pytest.approx(each.score)
            assert {one.value for one in each.evidence if one.sources} == features
    if finding.is_unknown:
        assert actors.ABSTAINS in finding.notes
    again = actors.hypotheses("case--1", dict.fromkeys(sorted(features, reverse=True), ("report--1",)), NOW, SMALL)
    assert again.digest == finding.digest


def test_software_of_one_group_outweighs_what_all_do() -> None:
    many = [Profile(f"Elm {each}", frozenset({"T1105", f"T12{each:02}", "software:Common"})) for each in range(30)]
    finding = asked({"T1105", "software:Alder"}, Profiles([*SMALL.all, *many]))
    groups = [each for each in finding.hypotheses if each.answer != UNKNOWN]
    assert groups[0].answer == "Ash"
    weights = {one.value: one.weight for one in groups[0].evidence if one.sources}
    assert weights["software:Alder"] > weights["T1105"]
    other = groups[1]
    words = {one.value: one.what for one in other.evidence}
    assert words["software:Alder"] == "software-not-in-profile"
    assert "software:Alder" in {one.value for one in other.against_it}


def test_software_that_a_profile_holds_never_speaks_more_against_it_than_software_that_it_does_not() -> None:
    weights = shipped(actors.NAME, actors.VERSION).values["weights"]
    profiles = actors.shipped_profiles()
    held = sorted(each for each in profiles.held if actors.kind_of(each) == "software")
    missing = actors.measures("software:nobody has it", profiles) @ weights
    for feature in held[::20]:
        assert (actors.measures(feature, profiles) @ weights >= missing).all(), feature


def test_a_parent_counts_as_a_parent() -> None:
    finding = asked({"T1059.007", "T1110"})
    words = {(each.answer, one.value): one.what for each in finding.hypotheses for one in each.evidence if one.sources}
    assert words["Ash", "T1059.007"] == "parent-in-profile"
    assert words["Cedar", "T1059.007"] == "technique-not-in-profile"
    assert words["Cedar", "T1110"] == "technique-in-profile"


@pytest.mark.parametrize("features", [set(), {"victim:hospital"}, {"odd"}])
def test_nothing_to_compare_is_unknown(features: set[str]) -> None:
    finding = asked(features)
    assert [(each.answer, each.probability) for each in finding.hypotheses] == [(UNKNOWN, 1.0)]
    assert {actors.NOTHING, actors.ABSTAINS} <= set(finding.notes)


def test_what_nobody_measured_weighs_nothing() -> None:
    without, with_it = asked({"T1105", "software:Alder"}), asked({"T1105", "software:Alder", "victim:hospital"})
    assert [(each.answer, each.probability) for each in without.hypotheses] == [
        (each.answer, each.probability) for each in with_it.hypotheses
    ]
    assert actors.NEVER_MEASURED in with_it.notes
    assert actors.NEVER_MEASURED not in without.notes


def test_a_profile_that_was_taken_out_leaves_no_trace() -> None:
    """W06: whoever may not see a group's profile gets the answer of a world without it."""
    apart = Profiles([each for each in SMALL.all if each.group != "Ash"])
    hidden = SMALL.with_profile(Profile("Ash", frozenset()))
    features = {"T1105", "T1486", "software:Alder"}
    assert asked(features, hidden).digest == asked(features, apart).digest
    assert "Ash" not in {each.answer for each in asked(features, hidden).hypotheses}


def test_profiles_that_cannot_be() -> None:
    one = Profile("Ash", frozenset({"T1105"}))
    for profiles in ([one, one], [Profile(UNKNOWN, frozenset({"T1105"}))]):
        with pytest.raises(ValueError, match="one profile"):
            Profiles(profiles)


def test_what_came_with_tocsin_knows_a_profile_and_doubts_what_all_do() -> None:
    profiles = actors.shipped_profiles()
    whole = next(each for each in profiles.all if each.group == "TeamTNT")
    known = actors.hypotheses("case--1", dict.fromkeys(whole.features, ()), NOW)
    assert known.best.answer == "TeamTNT"
    assert actors.ABSTAINS not in known.notes
    common = actors.hypotheses("case--2", {each: () for each, _ in profiles.held.most_common(8)}, NOW)
    assert actors.ABSTAINS in common.notes
    assert math.fsum(each.probability or 0 for each in common.hypotheses) < 1


def test_a_case_stuffed_with_everything_names_nobody() -> None:
    """Beyond what was measured the smallest profiles would win, for having the least against them."""
    held = sorted(actors.shipped_profiles().held)
    for count in (actors.WIDEST + 1, len(held)):
        finding = actors.hypotheses("case--1", dict.fromkeys(held[:count], ()), NOW)
        assert {actors.WIDE, actors.ABSTAINS} <= set(finding.notes)
    new = [f"software:never seen {each}" for each in range(50)]
    finding = actors.hypotheses("case--2", dict.fromkeys(new, ()), NOW)
    assert actors.ABSTAINS in finding.notes
    assert actors.WIDE not in finding.notes


def test_a_group_of_which_the_profile_holds_nothing_of_the_case_is_not_named() -> None:
    values = shipped(actors.NAME, actors.VERSION).values
    ash = Profiles([Profile("Ash", frozenset({"T1105"}), 9)])
    named = {
        feature: replace(actors.scored([feature], ash, values), unknown=-math.inf).is_named(0.9, 0.4)
        for feature in ("T1105", "T1486")
    }
    assert named == {"T1105": True, "T1486": False}


def test_evidence_not_yet_seen_is_what_a_rival_does_and_the_leader_does_not() -> None:
    finding = asked({"T1105", "T1486"})
    groups = [each for each in finding.hypotheses if each.answer != UNKNOWN]
    found = actors.unseen(finding, SMALL)
    assert found
    for each in found:
        later = asked({"T1105", "T1486", each.feature})
        scores = {one.answer: one.score for one in later.hypotheses}
        before = {one.answer: one.score for one in groups}
        leader = groups[0].answer
        moved = (scores[each.answer] - scores[leader]) - (before[each.answer] - before[leader])
        assert moved == pytest.approx(each.gain)
        assert each.turns == (scores[each.answer] > scores[leader])
    assert [each.turns for each in found] == sorted((each.turns for each in found), reverse=True)
    assert actors.unseen(asked(set()), SMALL) == ()


@given(FEATURES)
def test_a_matrix_nobody_edited_says_what_the_finding_says(features: set[str]) -> None:
    finding = asked(features)
    made = competing.matrix(finding)
    assert (made.finding, made.changed) == (finding.digest, ())
    assert [each.answer for each in made.ranking] == [each.answer for each in finding.hypotheses]
    for one, other in zip(made.ranking, finding.hypotheses, strict=True):
        assert one.score == pytest.approx(other.score)
        assert one.probability == pytest.approx(other.probability)


def test_the_groups_that_are_not_named_keep_their_share() -> None:
    finding = actors.hypotheses("case--1", dict.fromkeys(("T1105", "T1486", "T1059.001"), ()), NOW)
    ranking = competing.matrix(finding).ranking
    assert len(ranking) == actors.MOST + 1
    assert [each.probability for each in ranking] == pytest.approx([each.probability for each in finding.hypotheses])


@settings(max_examples=40)
@given(FEATURES.filter(lambda each: "T1105" in each), st.floats(-10, 10))
def test_a_cell_that_a_person_set_stands_apart_and_is_taken_back(features: set[str], weight: float) -> None:
    made = competing.matrix(asked(features))
    told = Change("T1105", "Beech", weight, "analyst", "Seen in the seized server.")
    after = competing.edited(made, [told])
    cell = after.cells["T1105", "Beech"]
    assert (cell.weight, cell.computed) == (weight, made.cells["T1105", "Beech"].computed)
    assert after.score("Beech") == pytest.approx(made.score("Beech") - cell.computed + weight)
    assert after.score("Ash") == made.score("Ash")
    assert after.changed == (told,)
    # Nobody has measured what a person sets: only the order is shown from then on.
    assert {each.probability for each in after.ranking} == {None}
    assert sorted((each.score for each in after.ranking), reverse=True) == [each.score for each in after.ranking]
    back = competing.edited(after, [Change("T1105", "Beech", None, "analyst", "Another server.")])
    assert back == made


def test_a_row_that_a_person_adds_turns_the_ranking() -> None:
    made = competing.matrix(asked({"T1105", "software:Alder"}))
    assert next(each.answer for each in made.ranking if each.answer != UNKNOWN) == "Ash"
    after = competing.edited(made, [Change("victim:hospital", "Beech", 9.0, "analyst", "Only Beech does this.")])
    assert next(each.answer for each in after.ranking if each.answer != UNKNOWN) == "Beech"
    assert after.by_diagnosis[0] == "victim:hospital"
    assert after.cells["victim:hospital", "Ash"].weight == 0
    assert after.against("Beech") == made.against("Beech") <= 0
    # Taken back, the row stays and weighs nothing.
    back = competing.edited(after, [Change("victim:hospital", "Beech", None, "analyst", "It was another one.")])
    assert [each.answer for each in back.ranking] == [each.answer for each in made.ranking]
    assert back.diagnostic("victim:hospital") == 0


@pytest.mark.parametrize(
    "change",
    [
        Change("T1105", "Elm", 1.0, "analyst", "Why not."),
        Change("T1105", UNKNOWN, 1.0, "analyst", "Why not."),
        Change("T1105", "Ash", math.nan, "analyst", "Why not."),
        Change("T1105", "Ash", 10.5, "analyst", "Why not."),
        Change("T1105", "Ash", 1.0, " ", "Why not."),
        Change("T1105", "Ash", 1.0, "analyst", ""),
        Change(" ", "Ash", 1.0, "analyst", "Why not."),
    ],
)
def test_a_change_that_cannot_be(change: Change) -> None:
    with pytest.raises(ValueError):
        competing.edited(competing.matrix(asked({"T1105"})), [change])
