"""The leak scanner reads what was printed of an alert to its end, and finds there what must not be read (W03, I6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.printed_alerts import ARABIC, ENGLISH, edition

from tocsin.core.reading import Source
from tocsin.handling.leaks import Place, Protected, Scanner, Secret
from tocsin.products.alerts.file import File
from tocsin.products.alerts.kit import opened
from tocsin.products.alerts.printed import files_of
from tocsin.products.alerts.record import PublicEdition
from tocsin.transport.attachments import texts_of

SCANNER = Scanner([Protected("203.0.113.9", Secret.VICTIM), Protected("بنك الوطني", Secret.VICTIM)])


def files(shown: PublicEdition) -> Iterator[File]:
    for each in files_of(shown):
        yield from opened(each)


def reasons(file: File) -> set[str]:
    texts = texts_of(Source(file.path.rpartition("/")[2], content=file.body), Place("output", file.language))
    return {each.why.value for each in SCANNER.find(texts)}


@pytest.mark.parametrize("language", ["en", "ar"])
def test_everything_printed_can_be_read_and_holds_nothing(language: str) -> None:
    text = {"en": ENGLISH, "ar": ARABIC}[language]
    made = list(files(edition(texts=(text,), reasons={})))
    assert len(made) > 12
    assert {file.path: reasons(file) for file in made} == {file.path: set() for file in made}


@pytest.mark.parametrize(("field", "said"), [
    ("if_victim", "اتصلوا بـ بنك الوطني"), ("if_victim", "العنوان ٢٠٣٫٠٫١١٣٫٩ مصاب"),
    ("happening", "203[.]0[.]113[.]9"),
])  # fmt: skip
def test_what_must_not_be_read_is_found_on_paper(field: str, said: str) -> None:
    made = {file.path.rpartition("/")[2]: file for file in files(edition(texts=(replace(ARABIC, **{field: said}),)))}
    for name in ("ar.pdf", "alert.pdf", "poster-a3.pdf", "poster-a4.pdf", "e-mail.txt"):
        assert reasons(made[name]) == {"victim"}, name
