"""The glossary that translators are offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.reference.glossary import LANGUAGES, terms, terms_in


def test_every_term_has_a_word_in_each_language() -> None:
    assert len(terms()) >= 70
    assert [term for term in terms() if set(term.words) != set(LANGUAGES)] == []


@pytest.mark.parametrize(("language", "text", "wanted"), [
    ("en", "Member countries fight ransomware and phishing.", ["Ransomware", "Phishing"]),
    ("en", "Ask your National Central Bureau; the NCB answers.", ["National Central Bureau (NCB)"] * 2),
    ("en", "Indicators of compromise of the malware", ["Indicator of compromise", "Malware"]),
    ("fr", "Les rançongiciels et l’hameçonnage", ["Ransomware", "Phishing"]),
    ("es", "Las víctimas de programas maliciosos", ["Victim", "Malware"]),
    ("ar", "ضحايا التصيُّد الاحتيالي وبرمجيات انتزاع الفدية", ["Phishing", "Ransomware"]),
    ("ar", "والضحية", ["Victim"]),
    ("de", "Ransomware", []),
])  # fmt: skip
def test_terms_are_found_in_running_text(language: str, text: str, wanted: list[str]) -> None:
    assert [each.term.words["en"] for each in terms_in(text, language)] == wanted


@given(st.sampled_from(LANGUAGES), st.lists(st.sampled_from(["ransomware", "ضحية", "NCB", "víctimas", "İ", "ß", " ",
                                                             "\n", "ـ", "l’", "x"]), max_size=12))  # fmt: skip
def test_places_lie_in_the_text_and_never_overlap(language: str, parts: list[str]) -> None:
    text = "".join(parts)
    end = 0
    for each in terms_in(text, language):
        assert end <= each.start < each.end <= len(text)
        end = each.end


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_word_of_the_table_is_found_by_itself(language: str) -> None:
    for term in terms():
        for variant in term.variants(language):
            found = terms_in(f"x {variant} y", language)
            assert [
                each for each in found if term.words == each.term.words or variant in each.term.variants(language)
            ], variant
