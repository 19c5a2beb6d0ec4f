"""W03: what the public edition must not say, in any language, annex or picture (DOMAIN 4.7), read in the sandbox."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import typst
from tests.pure.test_attachments import exif, jpeg

from tocsin.centre.intake.attachments import texts_of_file
from tocsin.centre.intake.process import Sandbox
from tocsin.core.words import Kind, Role
from tocsin.handling.disguises import Written
from tocsin.handling.leaks import Place, Protected, Secret, Text
from tocsin.handling.publishing import Sign, may_be_published

VICTIM, SERVER = "203.0.113.7", "198.51.100.9"
LANGUAGES = ("ar", "en", "es", "fr")
SIGNS = (
    Sign(VICTIM, Kind.IPV4, Role.VICTIM, is_marked=True, pap="PAP:CLEAR", has_consent=True),
    Sign(SERVER, Kind.IPV4, Role.ATTACKER_INFRA, is_marked=True, pap="PAP:CLEAR", has_consent=True),
)


@pytest.fixture(scope="module")
def sandbox():  # type: ignore[no-untyped-def]
    made = Sandbox()
    yield made
    made.stop()


def edition(language: str, text: str) -> list[Text]:
    return [
        Text(Place("title", language), "A wave of false invoices"),
        Text(Place("what-is-happening", language), text),
    ]


def test_w03_a_victim_in_one_language_an_annex_or_a_picture_blocks_all_languages(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    texts = [each for language in LANGUAGES for each in edition(language, f"Block {SERVER}.")]
    assert may_be_published(texts, [], SIGNS).is_allowed, "the server is marked, PAP:CLEAR, and its source agreed"
    texts += edition("ar", "هاجموا «٢٠٣٫٠٫١١٣٫٧» أمس")
    (tmp_path / "annex").write_bytes(bytes(typst.compile(b"Hit: 203[.]0[.]113[.]7", format="pdf")))
    (tmp_path / "photo").write_bytes(jpeg((0xE1, b"Exif\0\0" + exif(position=True))))
    texts += texts_of_file(tmp_path / "annex", "annex.pdf", Place("annex", "fr"), sandbox)
    texts += texts_of_file(tmp_path / "photo", "photo.jpg", Place("picture", "es"), sandbox)
    verdict = may_be_published(texts, [], SIGNS)
    assert not verdict.is_allowed
    found = [(each.place.language, each.place.field, each.place.attachment, each.place.page, each.why)
             for each in verdict.findings]  # fmt: skip
    assert found == [
        ("ar", "what-is-happening", "", 0, Secret.VICTIM),
        ("fr", "annex", "annex.pdf", 1, Secret.VICTIM),
        ("es", "picture", "photo.jpg", 0, Secret.POSITION),
    ]
    assert [each.written for each in verdict.findings] == [{Written.DIGITS}, {Written.DEFANGED}, set()]
    assert verdict.languages == ("ar", "es", "fr")
    assert all(each.is_final for each in verdict.findings)
    assert VICTIM not in repr(verdict)


def test_w03_no_role_lets_victims_data_pass() -> None:
    said = inspect.signature(may_be_published).parameters
    assert set(said) == {"texts", "protected", "signs"}, "nobody's role and no permission is asked"
    [one] = may_be_published(edition("en", VICTIM), [], SIGNS).findings
    assert one.why is Secret.VICTIM, "though somebody marked it as publishable"


@pytest.mark.parametrize("missing", [
    {"is_marked": False}, {"pap": "PAP:GREEN"}, {"has_consent": False}, {"role": Role.UNKNOWN},
])  # fmt: skip
def test_w03_a_server_needs_all_three_and_a_known_role(missing: dict[str, object]) -> None:
    sign = replace(SIGNS[1], **missing)  # type: ignore[arg-type]
    [one] = may_be_published(edition("en", "See 198[.]51[.]100[.]9."), [], [sign]).findings
    assert one.why is (Secret.VICTIM if "role" in missing else Secret.NOT_PUBLISHABLE)


def test_a_publishable_sign_outweighs_a_restricted_word_on_it_and_never_a_victim() -> None:
    texts = edition("en", f"Block {SERVER}.")
    assert may_be_published(texts, [Protected(SERVER, Secret.RESTRICTED)], SIGNS).is_allowed
    assert not may_be_published(texts, [Protected("::ffff:198.51.100.9", Secret.VICTIM)], SIGNS).is_allowed


def test_peoples_data_that_nobody_listed_is_found_by_its_shape() -> None:
    [one] = may_be_published(edition("en", "Pay to DE89 3704 0044 0532 0130 00."), []).findings
    assert (one.why, one.note) == (Secret.PERSONAL, "iban")


def test_a_file_that_kills_its_reader_is_a_find(tmp_path: Path) -> None:
    (tmp_path / "annex").write_text("A remark.")
    [one] = texts_of_file(tmp_path / "annex", "a.txt", Place("annex", "en"), Sandbox(module="tocsin.no_such_module"))
    assert one.unreadable == "reader-killed"
    [found] = may_be_published([one], []).findings
    assert (found.why, found.is_final) == (Secret.UNREADABLE, True)
