"""Indicators out of prose: what is found, what is noise, and that no text breaks or stalls it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.formats import _extraction
from tocsin.formats._extraction import pieces_of, propose


def found_in(text: str) -> dict[tuple[str, str], float]:
    return {(item.kind, item.value): item.score for item in propose(text)}


FINDS = [
    ("beacon to hxxp://198.51.100[.]7:8080/a.php, then", "url", "http://198.51.100.7:8080/a.php"),
    ("(see hxxps://bad[.]example/x_(1))", "url", "https://bad.example/x_(1)"),
    ("it loads bad[.]example/gate.php daily", "url", "http://bad.example/gate.php"),
    ("访问evil-site.com下载", "domain", "evil-site.com"),
    ("домен пример.рф был", "domain", "xn--e1afmkfd.xn--p1ai"),
    ("die Seite bücher-shop.de war", "domain", "xn--bcher-shop-9db.de"),
    ("العنوان ٢٠٣٫٠ ثم ٢٠٣.٠.١١٣.٩ هنا", "ipv4", "203.0.113.9"),
    ("ranges 203.0.113.0/24 only", "network", "203.0.113.0/24"),
    ("to 203.0.113.9:443.", "ipv4", "203.0.113.9"),
    ("IMPHASH: d41d8cd98f00b204e9800998ecf8427e", "imphash", "d41d8cd98f00b204e9800998ecf8427e"),
    ("call +44 20 7946 0958 now", "phone", "+442079460958"),
    ("IBAN GB82 WEST 1234 5698 7654 32 AND", "iban", "GB82WEST12345698765432"),
    ("card 4012-8888-8888-1881 was", "card", "4012888888881881"),
    ("mac 00:00:5E:00:53:01 was", "mac", "00:00:5e:00:53:01"),
    ("write to a.b+c@mail.example.", "email", "a.b+c@mail.example"),
    ("AS64500 announced", "asn", "AS64500"),
    ("bug cve\u20112021\u201144228 used", "cve", "CVE-2021-44228"),
]


@pytest.mark.parametrize(("text", "kind", "value"), FINDS)
def test_finds(text: str, kind: str, value: str) -> None:
    scores = found_in(text)
    assert (kind, value) in scores
    assert scores[kind, value] > 0.2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Chrome/76.0.3809.100 was used", "76.0.3809.100"),
        ("update to version 3.10.20.1 at once", "3.10.20.1"),
        ("the victim's 10.20.30.40 and 127.0.0.1", "10.20.30.40"),
        ("it was an attack.This is another", "attack.this"),
        ("as https://www.virustotal.com/gui/x shows", "https://www.virustotal.com/gui/x"),
    ],
)
def test_noise_scores_low(text: str, value: str) -> None:
    assert all(score <= 0.2 for (_, found), score in found_in(text).items() if found == value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("run setup.exe and script.py and README.md", "domain"),
        ("mail to someone@mail.example only", "domain"),
        ("at 12:30:45 and 10:20", "ipv6"),
        ("filler 00000000000000000000000000000000", "md5"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb is misspelt", "wallet"),
        ("GB82 WEST 1234 5698 7654 33 is misspelt", "iban"),
        ("number 4012-8888-8888-1882 is misspelt", "card"),
        ("e.g. this, i.e. that, and/or etc.", "domain"),
    ],
)
def test_is_not_taken_for(text: str, kind: str) -> None:
    assert kind not in {found for found, _ in found_in(text)}


def test_places_point_into_the_original() -> None:
    text = "first hxxp[:]//one[.]example/a\nthen t\u200bwo[.]example and john [at] three [dot] example."
    for item in propose(text, page=4):
        assert text[item.offset : item.offset + len(item.shown_as)] == item.shown_as
        assert item.page == 4
        assert item.shown_as.split()[0] in item.context
        assert len(item.context) <= 160
    assert {item.shown_as for item in propose(text)} == {
        "hxxp[:]//one[.]example/a",
        "t\u200bwo[.]example",
        "john [at] three [dot] example",
    }


def test_live_links_beside_defanged_ones_score_lower() -> None:
    alone = found_in("see http://reading.example/a")["url", "http://reading.example/a"]
    beside = found_in("see http://reading.example/a on hxxp://bad[.]example/b")
    assert beside["url", "http://reading.example/a"] < alone < beside["url", "http://bad.example/b"]


def test_a_value_comes_once_with_its_first_place() -> None:
    text = "bad.example\n" * 50
    assert [(item.value, item.offset) for item in propose(text)] == [("bad.example", 0)]


def test_failing_witnesses_do_not_hide_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> object:
        raise OSError("no library")

    monkeypatch.setattr(_extraction, "_searcher", broken)
    monkeypatch.setattr(_extraction, "_finder", broken)
    assert ("ipv4", "198.51.100.7") in found_in("to 198.51.100.7 it goes")


def test_pieces_join_to_the_text_and_keep_tokens_whole() -> None:
    text = ("word " * 30 + "bad-one.example\n") * 4000
    pieces = list(pieces_of(text))
    assert "".join(piece for _, piece in pieces) == text
    assert len(pieces) > 1
    assert all(piece.endswith("\n") for _, piece in pieces)
    assert [item.value for item in propose(text)] == ["bad-one.example"]


FRAGMENTS = st.sampled_from(
    [
        "hxxp",
        "://",
        "[.]",
        "evil",
        ".",
        "com",
        "198.51.100.7",
        "@",
        " ",
        "\n",
        "/",
        "٣",
        "：",
        "a" * 70,
        "[::",
        "%",
        "\0",
        "é",
        "网",
        "-",
        "0x",
        "+1",
        "CVE-",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=400), st.lists(FRAGMENTS, max_size=40).map("".join)))
def test_any_text_ends_well(text: str) -> None:
    for item in propose(text):
        assert text[item.offset : item.offset + len(item.shown_as)] == item.shown_as
        assert 0 <= item.score <= 1


@pytest.mark.parametrize(
    "unit",
    [
        "a-",
        "a.",
        "a@",
        "1.",
        "a:",
        "deadbeef",
        "1",
        "a/",
        " ",
        "[.",
        "http://",
        "+1 ",
        "DE89 ",
        "ABCD ",
        "\\",
        "HKLM\\",
        "Mozilla/5.0 (",
        "(" * 9,
        "t.me/",
        "1 ",
    ],
)
def test_built_texts_do_not_stall(unit: str) -> None:
    """Four times the text takes some four times as long; where each place is compared with each, sixteen times."""
    text = (unit * (1 << 17))[: 1 << 17]
    propose("warm up 198.51.100.7")
    part, whole = (_seconds(each) for each in (text[: 1 << 15], text))
    assert whole < 9 * part + 0.5


def _seconds(text: str) -> float:
    began_at = time.process_time()
    propose(text)
    return time.process_time() - began_at
