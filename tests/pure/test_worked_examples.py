"""Worked examples of who may see what, as the gate alone decides them; their names are those of the examples."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin.core.words import Tlp
from tocsin.handling import Facts, HandlingSet, Viewer, may_see

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
P1 = Facts("p1", released_to=())
CENTRE = Viewer("analyst", "centre", "law-enforcement", is_centre=True, clearance="confidential")
SECONDEE = Viewer("secondee", "centre", "law-enforcement", is_centre=True, clearance="confidential", employer="p2")
XA, XB, XC, XD = (
    Viewer(f"officer-{code}", f"ncb-{code}", "law-enforcement", code.upper(), is_bureau=True, clearance="restricted")
    for code in ("xa", "xb", "xc", "xd")
)
UNIT_XB = Viewer("investigator", "nu-xb1", "law-enforcement", "XB", bureau="ncb-xb", clearance="restricted")
SUB_XC = Viewer("officer", "sb-xc", "law-enforcement", "XC", bureau="ncb-xc", is_bureau=True, clearance="restricted")
P1_OWN = Viewer("pia", "p1", "private")
P2_OWN = Viewer("omar", "p2", "private")
EVERYBODY = (CENTRE, SECONDEE, XA, XB, XC, XD, UNIT_XB, SUB_XC, P1_OWN, P2_OWN)


def seen(handling: HandlingSet, facts: Facts = P1, now: datetime = NOW) -> set[str]:
    """Organisations of those of everybody who may see it; a secondee counts as the employer's."""
    return {each.employer or each.organisation for each in EVERYBODY if may_see(each, handling, facts, now)}


def test_w01a_strict_without_addressees_stays_with_the_centre() -> None:
    assert seen(HandlingSet(tlp=Tlp.AMBER_STRICT)) == {"p1", "centre"}


def test_w01b_strict_reaches_exactly_the_organisations_that_are_named() -> None:
    named = ("ncb-xa", "ncb-xb")
    assert seen(HandlingSet(tlp=Tlp.AMBER_STRICT, audience=named)) == {"p1", "centre", *named}
    # AMBER covers the bureau's clients too, once it passes it on: the gate lets the unit through as an addressee.
    assert "nu-xb1" not in seen(HandlingSet(tlp=Tlp.AMBER, audience=named))
    assert "nu-xb1" in seen(HandlingSet(tlp=Tlp.AMBER, audience=(*named, "nu-xb1")))


def test_w01c_amber_gives_no_claim_to_strict() -> None:
    of_xa = HandlingSet(tlp=Tlp.AMBER_STRICT, audience=("ncb-xa",))
    assert not may_see(XB, of_xa, P1, NOW)
    assert may_see(XB, HandlingSet(tlp=Tlp.AMBER), P1, NOW)


def test_w02_exclusions_hold_for_countries_their_units_and_sub_bureaus() -> None:
    for against in (("country:XC", "country:XD"), ("ncb-xc", "ncb-xd")):
        green = HandlingSet(tlp=Tlp.GREEN, audience=("all-members",), exclusions=against)
        assert seen(green, Facts("ncb-xa", released_to=())) & {"ncb-xc", "sb-xc", "ncb-xd"} == set()
        assert {"ncb-xa", "ncb-xb", "nu-xb1"} <= seen(green, Facts("ncb-xa", released_to=()))
    later = HandlingSet(tlp=Tlp.GREEN, audience=("all-members",), exclusions=("country:XC",))
    assert "ncb-xd" in seen(later, Facts("ncb-xa", released_to=()))


def test_w06_each_source_decides_for_its_own_word_alone() -> None:
    clear, red = HandlingSet(tlp=Tlp.CLEAR), HandlingSet(tlp=Tlp.RED)
    of_xa = Facts("ncb-xa", named=frozenset({"officer-xb", "analyst"}), released_to=())
    for viewer in EVERYBODY:
        assert may_see(viewer, clear, P1, NOW), "what is clear stays clear beside it"
    assert seen(red, of_xa) == {"ncb-xa", "ncb-xb", "centre"}, "and what is red stays red"


def test_w15_a_secondee_sees_what_seat_and_employer_may_both_see() -> None:
    no_private_sector = HandlingSet(tlp=Tlp.GREEN, exclusions=("class:private",))
    against_employer = HandlingSet(tlp=Tlp.AMBER, exclusions=("p2",))
    for handling in (no_private_sector, against_employer):
        assert may_see(CENTRE, handling, P1, NOW)
        assert not may_see(SECONDEE, handling, P1, NOW)
    assert may_see(SECONDEE, HandlingSet(tlp=Tlp.CLEAR), P1, NOW)


def test_w19_a_suspended_country_sees_nothing_and_its_exclusions_stand() -> None:
    suspended = replace(XB, country_suspended=True)
    assert not may_see(suspended, HandlingSet(tlp=Tlp.CLEAR), P1, NOW)
    its_own = HandlingSet(tlp=Tlp.GREEN, exclusions=("country:XC",))
    assert "ncb-xc" not in seen(its_own, Facts("ncb-xb", released_to=()))


def test_w05_what_has_expired_is_invisible_to_all() -> None:
    ends = datetime(2027, 2, 1, tzinfo=UTC)  # 2027-01-31 24:00 UTC
    facts = Facts("p1", expires_at=ends, released_to=())
    assert seen(HandlingSet(tlp=Tlp.CLEAR), facts, ends - timedelta(microseconds=1)) != set()
    assert seen(HandlingSet(tlp=Tlp.CLEAR), facts, ends) == set()
    assert seen(HandlingSet(tlp=Tlp.CLEAR), facts, ends - timedelta(hours=1)) != set(), "the clock may be set back"
