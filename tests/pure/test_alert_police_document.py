"""The police edition of an alert on paper: what stands in it, in which order, and under which label."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfminer.high_level import extract_pages, extract_text
from pdfminer.layout import LTTextContainer
from pdfminer.pdfpage import PDFPage
from tests.printed_alerts import ISSUED

from tocsin.core.words import Kind, Offence, Role
from tocsin.products.alerts.police_document import (
    Affected,
    Confidence,
    Likelihood,
    PoliceAction,
    PoliceDocument,
    PoliceIndicator,
    PolicePerson,
    mixed_sentences,
    police_pdf,
    told_of,
)
from tocsin.products.alerts.record import LANGUAGES, AlertType
from tocsin.products.alerts.words import words

WHOLE = PoliceDocument(
    number="IMMINENT-2026-0007", version=1, language="en", type=AlertType.IMMINENT, offence=Offence.RANSOMWARE,
    issuer="Fusion Centre", dated=ISSUED, expires=ISSUED + timedelta(days=90), tlp="TLP:AMBER", pap="PAP:AMBER",
    codes=("H1", "H3"), restrictions=("Only for the cybercrime unit.",), purposes=("PROTECT", "INVESTIGATE"),
    addressed_to="National Central Bureau of Belgium", title="Ransomware against hospitals",
    bottom_line="A group attacks hospitals. Yours are among those it looks at.", happened="It came by mail.",
    countries=("BE", "FR"), affected_text="Two hospitals.", affected=(Affected("Infected addresses", "412"),),
    indicators=(PoliceIndicator("203.0.113.7", Kind.IPV4, Role.ATTACKER_INFRA, "4x4:B2", ISSUED, "CinderCat"),),
    techniques=(("T1566.001", "Spearphishing Attachment"),), attack_version="20.0", facts="The server answers.",
    assessment="More will follow.", likelihood=Likelihood.LIKELY, confidence=Confidence.MODERATE,
    persons=(PolicePerson("John Example", "suspect", "Seen with them.", "FR"),),
    actions=(PoliceAction("Tell the hospitals.", "The CERT", ISSUED + timedelta(days=1), "Own law on warnings"),),
    never=("Do not connect to the server.",), questions=("Do you know of more?",), contact="desk@centre.example",
    answer_by=ISSUED + timedelta(days=5), answer_at="https://tocsin.example/reach/received/17",
    annexes=(("indicators.csv", "All indicators"),),
)  # fmt: skip


def text_of(body: bytes) -> str:
    return " ".join(extract_text(io.BytesIO(body)).split())


def test_all_of_it_stands_there_in_order() -> None:
    shown = text_of(police_pdf(WHOLE))
    parts = [
        "Only for the cybercrime unit.", WHOLE.title, "20 November 2026, 09:30 UTC", "Protect, Investigate",
        "Bottom line", "A group attacks", "What happened", "Who is affected in your country", "Two hospitals.", "412",
        "Facts", "The server answers.", "Assessment", "More will follow.", "Persons", "John Example",
        "Recommended actions", "Tell the hospitals.", "What not to do", "Indicators", "203[.]0[.]113[.]7",
        "Techniques (ATT&CK 20.0)", "T1566.001", "Questions to you", "Attached files", "Please answer by",
    ]  # fmt: skip
    places = [shown.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    prose = [parts.index(name) for name in ("Bottom line", "What happened", "Facts", "Assessment", "Indicators")]
    assert [places[number] for number in prose] == sorted(places[number] for number in prose)
    for each in ("suspect, France", "4x4:B2", "Attack infrastructure", "CinderCat", "The CERT", "Own law on warnings"):
        assert each in shown


def test_the_label_stands_at_head_and_foot_of_each_page() -> None:
    long = replace(WHOLE, facts="\n\n".join(["A fact in a paragraph of its own."] * 70), language="ar")
    pages = list(extract_pages(io.BytesIO(police_pdf(long))))
    assert len(pages) > 2
    for page in pages:
        marks = [box for box in page if isinstance(box, LTTextContainer) and "TLP:AMBER" in box.get_text()]
        assert any(box.y0 > page.height - 60 for box in marks)
        assert any(box.y1 < 60 for box in marks)


@pytest.mark.parametrize("language", LANGUAGES)
def test_likelihood_and_confidence_stand_apart_in_each_language(language: str) -> None:
    told = told_of(replace(WHOLE, language=language))
    say = words(language)
    assert told["likelihood"] == f"{say('likelihood.likely')} (55–80 %)"
    assert told["confidence"] == say("confidence.moderate")
    assert len({say(f"likelihood.{each.value}") for each in Likelihood}) == 7


def test_the_scale_leaves_no_gap() -> None:
    assert [each.bounds for each in Likelihood] == [
        (0, 5), (5, 20), (20, 45), (45, 55), (55, 80), (80, 95), (95, 100),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "language", "found"), [
    ("It is likely. Our confidence is low.", "en", []),
    ("With high confidence it is very likely.", "en", ["With high confidence it is very likely."]),
    ("It seems unlikely: confidence is low.\nMore.", "en", ["It seems unlikely: confidence is low."]),
    ("C’est très probable, avec un degré de confiance élevé.", "fr",
     ["C’est très probable, avec un degré de confiance élevé."]),
    ("Es probable. La confianza es alta.", "es", []),
    ("هذا محتمل بثقة عالية", "ar", ["هذا محتمل بثقة عالية"]),
])  # fmt: skip
def test_one_sentence_never_speaks_of_both(text: str, language: str, found: list[str]) -> None:
    assert mixed_sentences(text, language) == found


def test_without_anybody_affected_it_says_so() -> None:
    assert "The Centre knows of nobody in your country yet." in text_of(
        police_pdf(replace(WHOLE, affected=(), affected_text=""))
    )


def test_a_long_table_is_cut_and_says_so() -> None:
    many = replace(WHOLE, indicators=WHOLE.indicators * 500)
    assert "Shown here: 200 of 500." in text_of(police_pdf(many))


def test_what_was_cancelled_and_what_is_played_says_so() -> None:
    gone = text_of(police_pdf(replace(WHOLE, cancelled_at=ISSUED, reason="The source corrected it.")))
    assert "Cancelled on 20 November 2026" in gone
    assert "The source corrected it." in gone
    assert "This is an exercise." in text_of(police_pdf(replace(WHOLE, is_exercise=True)))


@settings(max_examples=12, deadline=None)
@given(
    text=st.text(max_size=80) | st.sampled_from(["x" * 200, "#pagebreak()", "\u202e\0" * 9, "كلمة example.com/[a] "]),
    language=st.sampled_from(["en", "ar", "zz"]), many=st.integers(0, 4),
)  # fmt: skip
def test_no_text_breaks_it(text: str, language: str, many: int) -> None:
    made = police_pdf(replace(
        WHOLE, language=language, title=text, facts=text, assessment=text, happened=text, bottom_line=text,
        never=(text,) * many, questions=(text,) * many, contact=text, restrictions=(text,) * many,
        actions=(PoliceAction(text, text, None, text),) * many, techniques=((text, text),) * many,
        indicators=(PoliceIndicator(text, Kind.OTHER, Role.UNKNOWN, text, None, text),) * many,
        persons=(PolicePerson(text, text, text),) * many, annexes=((text, text),) * many,
    ))  # fmt: skip
    assert list(PDFPage.get_pages(io.BytesIO(made)))
