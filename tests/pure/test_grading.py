"""Grades of sources and of what they say: kept as given, compared with what is lost (DOMAIN 2.4)."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.core.grading import (
    EXTENSION,
    HANDLING,
    HOUSE,
    INFORMATION,
    MISP_NUMBERS,
    SOURCES,
    STIX_CONFIDENCE,
    Grade,
    Loss,
    Scheme,
    conversions,
    converted,
    grade_in_stix,
    grade_in_tags,
    grade_of,
    stix_confidence,
    stix_extension,
    tags_of,
)


@st.composite
def grades(draw: st.DrawFn) -> Grade:
    scheme = draw(st.sampled_from(Scheme))
    source = draw(st.sampled_from(["", *SOURCES[scheme]]))
    information = draw(st.sampled_from([*INFORMATION[scheme], *([""] if source else [])]))
    handling = draw(st.sampled_from(["", *HANDLING.get(scheme, "")])) if source and information else ""
    return Grade(scheme, source, information, handling)


@given(grades())
def test_what_is_written_is_read_back(grade: Grade) -> None:
    assert grade_of(str(grade)) == grade
    assert grade_of(str(grade).lower()) == grade


@given(grades())
def test_round_trip_through_misp_keeps_the_grade(grade: Grade) -> None:
    text = "; ".join(("tlp:amber", *tags_of(grade), "circl:incident-classification"))
    assert grade_in_tags(text) == grade


@given(grades(), grades())
def test_round_trip_through_stix_keeps_the_grade(grade: Grade, other: Grade) -> None:
    body = orjson.loads(orjson.dumps({"extensions": {EXTENSION: stix_extension([grade])}, "labels": tags_of(other)}))
    assert grade_in_stix(body) == grade
    assert grade_in_stix({"labels": list(tags_of(grade))}) == grade


@given(grades(), st.sampled_from(Scheme))
def test_a_comparison_never_changes_the_grade_and_says_what_it_loses(grade: Grade, to: Scheme) -> None:
    before = str(grade)
    found = converted(grade, to)
    assert str(grade) == before
    assert found.grade.scheme is to
    if to is grade.scheme:
        assert (found.grade, found.losses) == (grade, ())
    else:
        back = converted(found.grade, grade.scheme)
        # Whoever comes back elsewhere was told of a loss on the way.
        assert back.grade == grade or found.losses


@given(grades())
def test_nothing_that_cannot_be_judged_becomes_judged(grade: Grade) -> None:
    for found in conversions(grade):
        if grade.source in {"", "F", "X"} or (grade.scheme, grade.source) in {(Scheme.THREE, "2"), (Scheme.FIVE, "E")}:
            assert found.grade.source in {"F", "X", "2", "E"}
        if not grade.information:
            assert Loss.NOT_SAID in found.losses
            assert found.grade.information in {"6", "4", "D"}


@given(st.text(max_size=12))
def test_any_text_is_a_grade_or_is_refused_with_a_reason(text: str) -> None:
    try:
        found = grade_of(text)
    except InputError as error:
        reasons = {error.reason}
    else:
        assert grade_of(str(found)) == found
        reasons = set()
    assert reasons <= {"not-a-grade", "ambiguous-grade"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [("X4", "4x4:X4"), ("F6", "admiralty:F6"), ("d5", "admiralty:D5"), ("1AP", "3x5x2:1AP"), ("3/E/C", "3x5x2:3EC"),
     ("E41", "5x5x5:E41"), ("4x4: B2", "4x4:B2"), ("Admiralty B-2", "admiralty:B2"), ("g2", "admiralty:G2"),
     ("admiralty:-3", "admiralty:-3"), ("x-", "4x4:X-")],
)  # fmt: skip
def test_how_people_write_grades(text: str, kept: str) -> None:
    assert str(grade_of(text)) == kept


def test_what_means_two_things_is_not_guessed() -> None:
    with pytest.raises(InputError) as caught:
        grade_of("B2")
    assert caught.value.reason == "ambiguous-grade"
    assert grade_of("B2", Scheme.FOUR) == Grade(Scheme.FOUR, "B", "2")
    assert grade_of("B2", Scheme.ADMIRALTY) == Grade(Scheme.ADMIRALTY, "B", "2")


@pytest.mark.parametrize("text", ["", "Z9", "4x4:F6", "3x5x2:A1", "admiralty:--", "B", "B22222", "4x4:B2P"])
def test_what_is_no_grade_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        grade_of(text)


def test_numbers_of_stix_and_misp_differ_and_are_for_display_only() -> None:
    assert [STIX_CONFIDENCE.get(digit) for digit in "123456"] == [90, 70, 50, 30, 10, None]
    assert [MISP_NUMBERS[digit] for digit in "123456"] == [100, 75, 50, 25, 0, 50]
    assert stix_confidence(Grade(Scheme.ADMIRALTY, "B", "2")) == (70, (Loss.SOURCE_DROPPED,))
    assert stix_confidence(HOUSE)[0] is None
    assert Loss.NO_NUMBER in stix_confidence(HOUSE)[1]


def test_the_house_default_is_x4_in_4x4() -> None:
    assert str(HOUSE) == "admiralty:F6"
    assert converted(HOUSE, Scheme.FOUR).grade == Grade(Scheme.FOUR, "X", "4")
    assert converted(Grade(Scheme.FOUR, "X", "4"), Scheme.ADMIRALTY).grade == HOUSE


def test_a_source_that_deceives_is_kept_and_compared_as_unreliable() -> None:
    grade = grade_in_tags('admiralty-scale:source-reliability="g"; admiralty-scale:information-credibility="5"')
    assert grade == Grade(Scheme.ADMIRALTY, "G", "5")
    found = converted(grade, Scheme.FOUR)
    assert found.grade == Grade(Scheme.FOUR, "C", "4")
    assert {Loss.DECEPTIVE, Loss.SUSPICION} <= set(found.losses)


def test_an_attributes_own_tag_goes_before_its_events() -> None:
    event = 'admiralty-scale:source-reliability="b"; admiralty-scale:information-credibility="2"'
    assert grade_in_tags(f'{event}; admiralty-scale:information-credibility="5"') == Grade(Scheme.ADMIRALTY, "B", "5")
