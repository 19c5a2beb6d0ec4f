"""What programs read of an alert beside CAP: STIX, linked data, plain text and short messages; and why none is made."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alert_editions import CASES, ISSUER, PARCELS, SENT, SIGNS, editions, hostile_editions

from tocsin.core.errors import InputError
from tocsin.core.words import Kind, Offence
from tocsin.products.alerts import addresses
from tocsin.products.alerts.cap import message_of
from tocsin.products.alerts.faults import faults
from tocsin.products.alerts.file import CAP, File
from tocsin.products.alerts.linked_data import article, linked_data
from tocsin.products.alerts.outputs import files_of, manifest_of
from tocsin.products.alerts.passages import UNWRITABLE, cleaned, shortened
from tocsin.products.alerts.plain import EXCHANGED, counted, plain_text, short_message
from tocsin.products.alerts.record import (
    LANGUAGES,
    AlertType,
    Certainty,
    Earlier,
    Image,
    Message,
    PublicEdition,
    PublicSign,
    Severity,
    Urgency,
)
from tocsin.products.alerts.signs import defanged
from tocsin.products.alerts.stix import objects_of, stix_of
from tocsin.products.alerts.words import catalogue, words
from tocsin.reference.countries import all_countries


def by_type(edition: PublicEdition, kind: str) -> list[dict[str, Any]]:
    return [each for each in objects_of(edition) if each["type"] == kind]


@pytest.mark.parametrize("name", list(CASES))
def test_bundles_are_valid_stix(name: str) -> None:
    from stix2validator import ValidationOptions, print_results, validate_string  # Seconds, for its grammars.

    text = stix_of(CASES[name]).decode()
    result = validate_string(text, ValidationOptions(version="2.1", disabled=["extensions-use"]))
    if not result.is_valid:
        print_results(result)
    assert result.is_valid
    bundle = stix2.parse(text, allow_custom=True)
    present = {each["id"] for each in bundle["objects"]}
    assert len(present) == len(bundle["objects"])
    for each in bundle["objects"]:
        assert {*each.get("object_refs", ()), *each.get("object_marking_refs", ())} <= present
        assert each.get("created_by_ref", each["id"]) in present


def test_an_update_is_a_newer_version_of_the_same_objects() -> None:
    first, update, cancel = (
        {each["id"]: each for each in objects_of(CASES[name])} for name in ("alert", "update", "cancel")
    )
    for kind in ("report", "indicator", "language-content"):
        before = {name for name in first if name.startswith(f"{kind}--")}
        assert before
        assert before == {name for name in update if name.startswith(f"{kind}--")}
        for name in before:
            assert update[name]["created"] == first[name]["created"] < update[name]["modified"]
    assert first.keys() & cancel.keys() >= {
        name for name in first if name.startswith(("report", "language", "identity"))
    }


def test_what_no_longer_holds_is_revoked() -> None:
    revoked = [each for each in by_type(CASES["update"], "indicator") if each.get("revoked")]
    before = {each["id"] for each in by_type(CASES["alert"], "indicator")
              if each["name"] in {"2001:db8::9", SIGNS[4].value}}  # fmt: skip
    assert {each["id"] for each in revoked} == before
    assert {(each["name"], each["pattern"]) for each in revoked} == {("withdrawn", "[file:name = 'withdrawn']")}
    assert [each.get("revoked") for each in by_type(CASES["update"], "vulnerability")] == [True]
    assert not any(each.get("revoked") for each in by_type(CASES["update"], "report"))
    assert all(
        each["revoked"]
        for kind in ("report", "indicator", "language-content")
        for each in by_type(CASES["cancel"], kind)
    )
    assert by_type(CASES["alert"], "indicator")[0]["pattern"] == "[domain-name:value = 'parcel-fee.example']"


def test_w22_other_languages_are_bound_to_the_version_that_they_translate() -> None:
    """W22."""
    (report,), (content,) = (by_type(CASES["update"], kind) for kind in ("report", "language-content"))
    assert content["object_ref"] == report["id"]
    assert content["object_modified"] == report["modified"] == "2026-11-12T09:00:00.000Z"
    assert report["lang"] == "en"
    assert list(content["contents"]) == ["fr", "es", "ar"]
    assert content["contents"]["ar"]["name"] == PARCELS[3].title
    assert by_type(CASES["arabic"], "language-content") == []


def test_a_value_without_a_pattern_is_not_lost() -> None:
    (note,) = by_type(CASES["alert"], "note")
    assert note["content"] == "wallet: bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
    assert by_type(CASES["worldwide"], "note") == []


def test_a_quote_in_a_value_stays_in_its_pattern() -> None:
    sign = PublicSign("a' OR [x:y = 'z\\.exe", Kind.FILENAME)
    (indicator,) = by_type(replace(CASES["alert"], signs=(sign,)), "indicator")
    assert indicator["pattern"] == "[file:name = 'a\\' OR [x:y = \\'z\\\\.exe']"


def test_linked_data_names_translations_and_what_they_translate() -> None:
    english, arabic = (article(CASES["alert"], language) for language in ("en", "ar"))
    assert arabic["translationOfWork"]["@id"] == english["@id"]
    assert [each["inLanguage"] for each in english["workTranslation"]] == ["fr", "es", "ar"]
    assert (arabic["inLanguage"], arabic["headline"]) == ("ar", PARCELS[3].title)
    assert [each["name"] for each in arabic["spatialCoverage"]] == ["تشيلي", "فرنسا", "المغرب"]
    assert article(CASES["cancel"], "en")["creativeWorkStatus"] == "Cancelled"
    assert "Criminals" not in linked_data(CASES["cancel"], "en").decode()
    assert article(CASES["update"], "fr")["correction"]["text"] == "Deux autres signes sont connus."
    assert article(CASES["imminent"], "fr")["inLanguage"] == "en"


@settings(max_examples=40)
@given(hostile_editions())
def test_linked_data_can_stand_in_a_page_as_it_is(edition: PublicEdition) -> None:
    for language in edition.languages:
        body = linked_data(edition, language).decode()
        assert not set("<>&\u2028\u2029") & set(body)
        assert json.loads(body)["inLanguage"] == language


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1), ("a" * 160, "GSM-7", 160, 1), ("a" * 161, "GSM-7", 161, 2), ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3), ("€" * 80, "GSM-7", 160, 1), ("€" * 81, "GSM-7", 162, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3), ("ش" * 70, "UCS-2", 70, 1), ("ش" * 71, "UCS-2", 71, 2),
        ("ش" * 134, "UCS-2", 134, 2), ("ش" * 135, "UCS-2", 135, 3), ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2), ("ش" * 66 + "😀" + "ش" * 66, "UCS-2", 134, 3), ("ç", "UCS-2", 1, 1),
        ("Çé", "GSM-7", 2, 1),
    ],
)  # fmt: skip
def test_segments_are_counted_as_networks_do(text: str, encoding: str, units: int, segments: int) -> None:
    """A character of two units is never parted, so that a segment may have room left."""
    found = counted(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


@settings(max_examples=80)
@given(editions() | hostile_editions())
def test_short_messages_fit_and_end_with_the_whole_address(edition: PublicEdition) -> None:
    address = f"{ISSUER.origin}/{addresses.permanent(edition.number)}"
    for language in edition.languages:
        text = short_message(edition, language)
        assert counted(text).segments <= 3
        assert text == address or text.endswith(f" {address}")


def test_short_messages_cut_no_word() -> None:
    title = "Überweisung " + " ".join(f"wort{number}" for number in range(40))
    text = replace(PARCELS[0], title=title[:140].rsplit(" ", 1)[0], do_now=("s" * 500,))
    edition = replace(
        CASES["alert"], texts=(text,), issuer=replace(ISSUER, origin="https://alerts.example/" + "a" * 90)
    )
    for segments in (1, 2, 3):
        said = short_message(edition, "en", segments)
        assert counted(said).segments <= segments
        words = {each.strip(".…") for each in said.split()[1:-1]}
        assert words
        assert words <= set(title.split())


def test_short_messages_in_arabic_and_english() -> None:
    english, arabic = (short_message(CASES["alert"], language) for language in ("en", "ar"))
    assert counted(english).encoding == "GSM-7"
    assert counted(arabic).encoding == "UCS-2"
    assert english.startswith("Alert: False parcel messages empty bank accounts. Do not open the link")
    assert counted(short_message(CASES["alert"], "fr")).encoding == "GSM-7", "punctuation is exchanged for it"
    assert "Withdrawn" in short_message(CASES["cancel"], "en")


def test_plain_text_has_everything_and_no_link_to_criminals() -> None:
    text = plain_text(CASES["alert"], "en")
    for _, passage in PARCELS[0].passages():
        if "1.99" not in passage:  # What an image shows stands beside the image.
            assert passage in text
    assert "hxxps://parcel-fee[.]example/pay" in text
    assert "parcel-fee.example" not in text
    assert "198[.]51[.]100[.]9" in text
    assert text.endswith("https://alerts.fusion.example/alerts/en/METHOD-2026-0042/\n")
    assert "parcel-fee" not in plain_text(CASES["cancel"], "en")
    assert "Gravité : Grave" in plain_text(CASES["alert"], "fr")
    assert "تشيلي، فرنسا، المغرب" in plain_text(CASES["alert"], "ar")


@given(st.text(max_size=200), st.integers(1, 60))
def test_cleaned_text_holds_nothing_unseen_and_cuts_hold(text: str, longest: int) -> None:
    once = cleaned(text)
    assert not UNWRITABLE.search(once)
    assert cleaned(once) == once
    assert len(shortened(once, longest)) <= longest
    cut = shortened(once, longest)
    if cut != once and cut.rstrip("…"):
        kept = cut.removesuffix("…")
        assert once.startswith(kept)
        assert not once[len(kept) : len(kept) + 1].isalnum()


def words_of(*texts: object) -> set[str]:
    """The words of all texts in these values, without the marks around them."""
    found: set[str] = set()
    for each in texts:
        if isinstance(each, str):
            found |= {token.strip(MARKS) for token in cleaned(each).split()}
        elif isinstance(each, dict):
            found |= words_of(*each.keys(), *each.values())
        elif isinstance(each, list | tuple):
            found |= words_of(*each)
    return found


MARKS = " .,:;،؛!?؟…–-\"'()[]«»“”’·1234567890"
OURS = words_of(
    *(text for entry in catalogue().values() for text in entry.values()),
    *(country.name(language) for country in all_countries() for language in LANGUAGES),
)


@settings(max_examples=60)
@given(editions() | hostile_editions())
def test_i6_the_public_reads_words_of_the_record_and_of_the_catalogue_alone(edition: PublicEdition) -> None:
    """I6, for what people read of outputs without pages: nothing else can get into them."""
    allowed = OURS | words_of(dataclasses.asdict(edition)) | {""}
    allowed |= words_of(*(words(each).moment(moment) for each in edition.languages for moment in (
        edition.issued, edition.sent, edition.expires)))  # fmt: skip
    signs = words_of(*(defanged(sign.value, sign.kind) for sign in edition.signs))
    for language in edition.languages:
        address = f"{ISSUER.origin}/"
        plain = [each for each in plain_text(edition, language).split() if not each.startswith(address)]
        assert {each.strip(MARKS) for each in plain} <= allowed | signs
        short = [each for each in short_message(edition, language).split() if not each.startswith(address)]
        exchanged = {each.translate(EXCHANGED).strip(MARKS) for each in allowed}
        assert {each.strip(MARKS) for each in short} <= allowed | exchanged
    for info in message_of(edition).infos:
        said = (info.event, info.headline, info.description, info.instruction, info.sender_name, info.contact)
        assert words_of(*said, *(each.description for each in info.areas)) <= allowed


@settings(max_examples=30)
@given(hostile_editions())
def test_no_text_whatever_breaks_a_bundle(edition: PublicEdition) -> None:
    if not faults(edition):
        bundle = stix2.parse(stix_of(edition).decode(), allow_custom=True)
        assert bundle["objects"]


def test_every_field_reaches_an_output_and_none_but_these() -> None:
    """Marks in all fields of the record: each shows somewhere, and removing the record's own texts leaves no other."""
    files = list(files_of(CASES["alert"]))
    said = b"\n".join(file.body for file in files).decode()
    for text in PARCELS:
        for _, passage in text.passages():
            assert passage.split("\n")[0][:20] in said or json.dumps(passage)[1:20] in said
    assert {field.name for field in dataclasses.fields(PublicEdition)} == {
        "number", "version", "message", "type", "offence", "severity", "urgency", "certainty", "issued", "sent",
        "expires",
        "texts", "issuer", "onset", "countries", "signs", "former_signs", "images", "annexes",
        "earlier", "reasons", "is_exercise",
    }, "a new field must be on the allow-list of what the public reads, and asked for here"  # fmt: skip


@settings(max_examples=40)
@given(editions())
def test_files_lie_where_addresses_say_and_are_the_same_each_time(edition: PublicEdition) -> None:
    files = list(files_of(edition))
    assert files == list(files_of(edition))
    paths = [file.path for file in files]
    assert len(set(paths)) == len(paths) == 2 + 3 * len(edition.languages)
    assert all(path.startswith(f"{edition.number}/") for path in paths)
    assert [file.path for file in files if file.media_type == CAP] == [addresses.cap(edition.number, edition.version)]


@settings(max_examples=60)
@given(hostile_editions())
def test_hostile_text_is_refused_whole_or_published_whole(edition: PublicEdition) -> None:
    found = faults(edition)
    if found:
        with pytest.raises(InputError):
            list(files_of(edition))
        assert all(fault.told(language) for fault in found for language in ("en", "fr", "es", "ar"))
    else:
        assert len(list(files_of(edition))) == 2 + 3 * len(edition.languages)


WRONG: dict[str, tuple[PublicEdition, str, str, str]] = {
    "person": (replace(CASES["alert"], type=AlertType.PERSON), "", "type", "public"),
    "exercise": (replace(CASES["alert"], is_exercise=True), "", "type", "public"),
    "offence": (replace(CASES["alert"], offence=Offence.NONE), "", "offence", "offence"),
    "severity": (replace(CASES["alert"], severity=Severity.UNKNOWN), "", "severity", "unknown"),
    "urgency": (replace(CASES["alert"], urgency=Urgency.UNKNOWN), "", "urgency", "unknown"),
    "certainty": (replace(CASES["alert"], certainty=Certainty.UNKNOWN), "", "certainty", "unknown"),
    "no text": (replace(CASES["alert"], texts=()), "", "texts", "empty"),
    "twice": (replace(CASES["alert"], texts=PARCELS[:1] * 2), "en", "language", "language"),
    "no language": (
        replace(CASES["alert"], texts=(replace(PARCELS[0], language="e n"),)),
        "e n",
        "language",
        "language",
    ),
    "no title": (replace(CASES["alert"], texts=(replace(PARCELS[0], title=" "),)), "en", "title", "empty"),
    "long title": (replace(CASES["alert"], texts=(replace(PARCELS[0], title="t" * 141),)), "en", "title", "long"),
    "long text": (
        replace(CASES["alert"], texts=(replace(PARCELS[0], at_risk="word " * 10_000),)),
        "en",
        "at_risk",
        "long",
    ),
    "title again": (
        replace(CASES["alert"], texts=(replace(PARCELS[0], happening=PARCELS[0].title),)),
        "en",
        "happening",
        "same",
    ),
    "bidi": (
        replace(CASES["alert"], texts=(replace(PARCELS[3], do_now=("\u202eexe.gnp",)),)),
        "ar",
        "do_now.1",
        "character",
    ),
    "sign": (replace(CASES["alert"], signs=(PublicSign("a\u200b.example", Kind.DOMAIN),)), "", "signs", "character"),
    "image text": (
        replace(CASES["alert"], texts=(replace(PARCELS[0], image_texts={}),)),
        "en",
        "image.message.png",
        "empty",
    ),
    "image name": (
        replace(CASES["alert"], images=(Image("../x.png", "image/png", b""),)),
        "",
        "image.../x.png",
        "name",
    ),
    "over": (replace(CASES["alert"], expires=SENT), "", "expires", "moment"),
    "begins after": (replace(CASES["alert"], onset=SENT + timedelta(days=91)), "", "expires", "moment"),
    "no zone": (replace(CASES["alert"], expires=datetime(2027, 1, 1)), "", "expires", "moment"),
    "fraction": (replace(CASES["alert"], sent=SENT.replace(microsecond=5)), "", "sent", "moment"),
    "issued later": (replace(CASES["alert"], issued=datetime(2026, 12, 1, tzinfo=UTC)), "", "issued", "moment"),
    "turned": (replace(CASES["cancel"], earlier=CASES["cancel"].earlier[::-1]), "", "earlier", "versions"),
    "first is update": (replace(CASES["alert"], message=Message.UPDATE), "", "earlier", "versions"),
    "order": (
        replace(CASES["update"], earlier=(Earlier(1, Message.ALERT, SENT + timedelta(3)),)),
        "",
        "earlier",
        "moment",
    ),
    "no reason": (replace(CASES["cancel"], reasons={"en": "Withdrawn."}), "fr", "reason", "empty"),
    "sender": (replace(CASES["alert"], issuer=replace(ISSUER, sender="a,b")), "", "issuer.sender", "name"),
    "origin": (replace(CASES["alert"], issuer=replace(ISSUER, origin="http://a.example")), "", "issuer.origin", "name"),
    "number": (replace(CASES["alert"], number="METHOD 1"), "", "number", "name"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_each_fault_is_named_by_language_field_and_reason(name: str) -> None:
    edition, *expected = WRONG[name]
    assert expected in [[each.language, each.field, each.code] for each in faults(edition)]
    with pytest.raises(InputError):
        list(files_of(edition))


def test_the_list_of_a_version_names_every_file_with_its_digest() -> None:
    files = list(files_of(CASES["alert"]))
    page = File("en/METHOD-2026-0042/", "text/html; charset=utf-8", b"<p>")
    first = manifest_of(CASES["alert"], [*files, page], "0123abcd")
    said = json.loads(first.body)
    assert set(said["files"]) == {file.path for file in files}
    assert all(re.fullmatch(r"[0-9a-f]{64}", each["sha256"]) for each in said["files"].values())
    second = json.loads(manifest_of(CASES["update"], files, "0123abcd", first.body).body)
    assert re.fullmatch(r"[0-9a-f]{64}", second["before"]["sha256"])
    assert first.path == "METHOD-2026-0042/v1.manifest.json"
