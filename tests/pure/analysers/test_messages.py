"""Notes: the family is told with its passages, and what is copied, disguised or broken is said to be so."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.analysers import messages
from tocsin.analysers._message_text import addresses, letters, masked, visible
from tocsin.analysers.contract import UNKNOWN, Finding
from tocsin.analysers.messages import Index

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ONION = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx"
WORDS = [
    "your",
    "files",
    "network",
    "data",
    "are",
    "encrypted",
    "stolen",
    "price",
    "key",
    "contact",
    "us",
    "tor",
    "browser",
    "download",
    "pay",
    "time",
    "days",
    "server",
    "backup",
    "decrypt",
    "tool",
    "company",
    "leak",
    "publish",
    "blog",
    "police",
    "recovery",
    "test",
    "free",
    "document",
    "database",
    "client",
    "payment",
    "wait",
    "chat",
    "login",
]


def note(seed: int, length: int = 120) -> str:
    """A text in the words of the trade, in an order of its own."""
    return " ".join(random.Random(seed).choices(WORDS, k=length))


NOTES = [
    (f"n{number}", family, note(number)) for number, family in enumerate(["redfox", "bluehen", "greyowl", "paleelk"])
]
INDEX = messages.index_of([*NOTES, ("n9", "redfox", f"{note(9)} write to us at http://{ONION}.onion/login")])


def guess(raw: str, index: Index = INDEX) -> Finding:
    return messages.guess(index, raw, "asked", NOW)


def evidence(finding: Finding, answer: str) -> dict[str, str]:
    return {
        one.what: one.value
        for each in finding.hypotheses
        if each.answer == answer
        for one in reversed(each.for_it + each.against_it)
    }


def test_a_copy_with_one_word_changed_is_said_to_be_a_near_duplicate() -> None:
    changed = NOTES[1][2].split()
    changed[60] = "otherwise"
    finding = guess(" ".join(changed))
    assert finding.best.answer == "bluehen"
    assert finding.notes == ("near-duplicate",)
    said = evidence(finding, "bluehen")
    assert said["near-duplicate"] == "n1"
    # The very passages: all that stands before and behind the word that was changed.
    passages = {one.value for one in finding.best.evidence if one.what == "shared-passage"}
    assert passages == {" ".join(changed[:60]), " ".join(changed[61:])}


def test_a_copy_under_another_name_is_no_secret() -> None:
    finding = guess(NOTES[1][2] + " we are the Red Fox group")
    assert finding.notes == ("near-duplicate", "copy-under-another-name")
    assert evidence(finding, "redfox")["names-it"] == "redfox"
    assert evidence(finding, "bluehen")["near-duplicate"] == "n1"


def test_what_nobody_wrote_is_unknown() -> None:
    finding = guess(
        "The meeting of the gardening club takes place on Sunday at noon, bring your own chair and a hat please."
    )
    assert finding.is_unknown
    assert not finding.notes
    assert guess("").notes == ("short",)
    nothing = messages.index_of([])
    assert guess("whatever", nothing).is_unknown
    assert messages.rebrands(nothing) == []


def test_addresses_are_evidence_of_their_own_and_no_words() -> None:
    other = f"nothing in common with anybody here but one place to meet http://{ONION}.onion/x"
    finding = guess(other)
    said = evidence(finding, "redfox")
    assert said["shared-onion"] == ONION
    assert said["shared-onion-beginning"] == ONION[:6]
    assert ONION not in masked(other)
    assert len(masked(other)) == len(other)
    # What each weighs adds up to the score.
    for each in finding.hypotheses:
        if each.answer != UNKNOWN:
            assert sum(one.weight for one in each.evidence) == pytest.approx(each.score)


def test_an_address_that_many_families_give_says_nothing() -> None:
    index = messages.index_of((f"s{seed}", f"family{seed}", f"{note(seed)} https://shop.example/") for seed in range(5))
    finding = guess(f"{note(0)} https://shop.example/buy", index)
    assert evidence(finding, "family0")["common-host"] == "shop.example"
    assert [one.weight for one in finding.best.evidence if one.what == "common-host"] == [0]


@pytest.mark.parametrize("spoilt", ["html", "utf-16", "unseen", "lookalikes", "upper"])
def test_disguises_come_off(spoilt: str) -> None:
    plain = NOTES[2][2]
    made = {
        "html": "<html><style>p {color: red}</style><body><p>" + plain.replace(" ", "</p> <p>") + "</p></body></html>",
        "utf-16": (plain + " " * (len(plain) % 2)).encode().decode("utf-16-le"),
        "unseen": plain.replace("e", "e\u200b"),
        "lookalikes": plain.replace("o", "\u043e").replace("e", "\u0435"),
        "upper": plain.upper(),
    }[spoilt]
    finding = guess(made)
    assert finding.best.answer == "greyowl"
    assert finding.notes == ("near-duplicate",)


def hostile() -> Iterable[str]:
    """What somebody hands in who wants the machine to stand still (a way that grew with the square would not end)."""
    yield "a" * 1_000_000
    yield "a " * 500_000
    yield "<" * 500_000
    yield "<style>" * 150_000
    yield base64.b64encode(random.Random(1).randbytes(700_000)).decode()
    yield "a.-" * 300_000
    yield "a@" * 300_000
    yield "http://" * 100_000
    yield "\u4e2d\u0430a\u0627" * 200_000
    yield "".join(chr(each) for each in range(0x10FFFF))
    yield "\x00" * 100_000


def test_bad_input_costs_little_and_is_nobody() -> None:
    for raw in hostile():
        finding = guess(raw)
        assert finding.is_unknown
        assert finding.digest == guess(raw).digest


@given(st.text(max_size=300))
def test_any_text_has_a_finding(raw: str) -> None:
    finding = guess(raw)
    assert finding.digest == guess(raw).digest
    assert len(masked(visible(raw))) == len(visible(raw))


def test_what_comes_later_or_goes_is_as_if_it_had_been_so() -> None:
    whole = messages.index_of(NOTES)
    grown = messages.index_of(NOTES[:2]).added(messages.index_of(NOTES[2:]))
    assert guess(note(2), grown).digest == guess(note(2), whole).digest
    # W06: who may not see a note is told what he would be told in a world without it.
    hidden = whole.without(["n2"])
    assert (
        guess(note(2), hidden).digest
        == guess(note(2), messages.index_of(each for each in NOTES if each[0] != "n2")).digest
    )
    assert "greyowl" not in {each.answer for each in guess(note(2), hidden).hypotheses}


def test_families_that_write_alike_are_proposed_and_no_others() -> None:
    known = [(f"n{seed}", f"family{seed}", note(seed)) for seed in range(8)]
    copied = note(3).replace("publish", "spread")
    index = messages.index_of([*known, ("new", "newname", copied)])
    [found] = messages.rebrands(index)
    assert (found.one, found.other, found.sources) == ("family3", "newname", ("n3", "new"))
    assert found.passages
    assert found.passages[0].here in note(3)
    assert found.passages[0].there in copied
    assert found.chance < 0.001


def test_names_are_read_as_people_write_them() -> None:
    assert letters("CL0P") == letters("clop")
    assert letters("C3RB3R") == "cerber"
    assert addresses("write to Some.One@mail.example or 1BoatSLRHtKNngkdXEeobR76b53LETtpyT now") == {
        ("mail", "some.one@mail.example"), ("wallet", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
    }  # fmt: skip
