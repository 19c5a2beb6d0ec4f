"""What is published holds nothing that nobody may read: W03, W17, W31 and I6 for alerts."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
from django.utils import timezone
from tests import alert_life, people
from tests.found_alerts import C2, OTHER, VICTIM, begun, hand_over, marked

from tocsin.centre.alerts import editions, files, grounds, guarding, publishing, services, written
from tocsin.centre.alerts.guarding import LeaksFound, StateNamed
from tocsin.centre.alerts.models import Attached, PublicFile, Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import content_of
from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Person
from tocsin.core.errors import Refused
from tocsin.core.words import Kind, Role
from tocsin.products.alerts.draft import Indicator, Picture, texts_of, to_json
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import Made, PublicSign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]
ARABIC_VICTIM = "٢٠٣٫٠٫١١٣٫٧"


def refused(version: Version) -> LeaksFound:
    with pytest.raises(LeaksFound) as found:
        publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert not PublicFile.objects.exists(), "nothing of it is published in any language"
    assert alert_life.fresh(version).state == State.POLICE
    for each in (VICTIM, ARABIC_VICTIM, "203[.]0"):
        assert each not in str(found.value)
    return found.value


def in_arabic(version: Version, **said: str) -> None:
    """What somebody wrote into the Arabic translation."""
    held = version.translations.get(language="ar")
    made = services.translate(version, "ar", to_json(alert_life.texts("ar", **said)), base=held.revision,
                              made=Made.HUMAN, by=people.call(alert_life.TRANSLATOR), at=timezone.now())  # fmt: skip
    services.check(made, by=people.call(alert_life.CHECKER), at=timezone.now())


def test_w03_a_victim_in_arabic_digits_blocks_all_languages() -> None:
    version = alert_life.ready(begun())
    in_arabic(version, happening=f"الخادم {ARABIC_VICTIM} مصاب.")
    version = alert_life.with_police(version, languages=())
    found = refused(version)
    assert ("ar", "happening", "victim") in found.places
    assert {"ar"} == {language for language, where, _why in found.places if "/" not in where}
    entry = Entry.objects.filter(action="alert.blocked").latest("pk")
    assert "victim" in entry.detail
    assert VICTIM not in entry.detail


def test_w03_a_defanged_victim_in_an_annex_and_a_picture_that_says_where_it_was_taken() -> None:
    version = begun()
    at = timezone.now()
    edition = editions.edition_of(version, at)
    annex = File("en/annex.txt", "text/plain", b"the host 203[.]0[.]113[.]7 was hit", "en")
    with pytest.raises(LeaksFound) as found:
        guarding.require_publishable(version, edition, [annex], at)
    assert found.value.places == (("en", "en/annex.txt", "victim"),)
    assert all(each.is_final for each in found.value.findings)
    Attached.objects.create(alert=version.alert, name="photo", sha256="0" * 64, media_type="image/png", width=1,
                            height=1, said={"has_position": True, "texts": ["48.8 N"]},
                            by=people.call("dana_analyst"), at=at)  # fmt: skip
    draft = content_of(version)
    picture = Picture(name="photo", sha256="0" * 64, media_type="image/png", width=1, height=1)
    version.content = to_json(type(draft)(**{**{n: getattr(draft, n) for n in draft.__struct_fields__},
                                             "images": (picture,)}))  # fmt: skip
    with pytest.raises(LeaksFound) as found:
        guarding.require_publishable(version, edition, [], at)
    assert found.value.places == (("", "photo", "position"),)


def test_no_role_overrides_for_victims(django_assert_max_num_queries: object) -> None:
    del django_assert_max_num_queries
    version = alert_life.with_police(begun(texts=alert_life.texts(at_risk=f"Owners of {VICTIM}.")))
    for person in Person.objects.filter(organisation__is_centre=True):
        person.roles = ["analyst", "reviewer", "legal", "dissemination", "duty", "administrator", "victim-desk"]
        person.save()
        with pytest.raises(Refused):
            publishing.publish_public(version, by=person, at=timezone.now())
    assert not PublicFile.objects.exists()


@pytest.mark.parametrize(
    ("marking", "pap", "mark", "may"),
    [
        ("TLP:CLEAR", "PAP:CLEAR", True, True),
        ("TLP:CLEAR", "PAP:CLEAR", False, False),
        ("TLP:CLEAR", "PAP:GREEN", True, False),
        ("TLP:GREEN", "PAP:CLEAR", True, False),
    ],
)
def test_w03_the_command_server_only_when_marked_clear_and_agreed(
    marking: str, pap: str, mark: bool, may: bool
) -> None:
    version = begun(hand_over(marking, pap=pap), texts=alert_life.texts(recognise=(f"Traffic to {C2}.",)))
    if mark:
        content = content_of(version)
        content = {**to_json(content_of(version)), "indicators": [to_json(each) for each in marked(version)]}
        version = services.write(version, content, base=1, by=people.call("dana_analyst"), at=timezone.now())
    at = timezone.now()
    edition = editions.edition_of(version, at)
    assert [each.value for each in edition.signs] == ([C2] if may else [])
    if may:
        guarding.require_publishable(version, edition, [], at)
    else:
        with pytest.raises(LeaksFound) as found:
            guarding.require_publishable(version, edition, [], at)
        assert ("en", "recognise.1", "not-publishable") in found.value.places


def test_what_the_draft_claims_of_a_value_that_somebody_gave_counts_for_nothing() -> None:
    """A value that is typed in anew is still its source's."""
    claimed = Indicator(value=C2, kind=Kind.IPV4, role=Role.ATTACKER_INFRA, is_marked=True, pap="PAP:CLEAR",
                        has_consent=True)  # fmt: skip
    hand_over("TLP:AMBER")
    version = alert_life.begun(indicators=(claimed,), texts=alert_life.texts(recognise=(f"Traffic to {C2}.",)))
    at = timezone.now()
    edition = editions.edition_of(version, at)
    assert edition.signs == ()
    forced = replace(edition, signs=(PublicSign(C2, Kind.IPV4),))
    with pytest.raises(LeaksFound) as found:
        guarding.require_publishable(version, forced, [], at)
    assert any(why == "not-publishable" for _language, _where, why in found.value.places)


def test_w06_the_public_reads_the_clear_word_although_another_source_restricts_it() -> None:
    clear = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    hand_over("TLP:RED", body=b"time,ip,event type,role\n2026-11-20T10:00:00Z,198.51.100.9,c2-server,ATTACKER_INFRA\n",
              login="omar_partner")  # fmt: skip
    version = begun(clear)
    version.content = {**to_json(content_of(version)), "indicators": [to_json(each) for each in marked(version)]}
    at = timezone.now()
    edition = editions.edition_of(version, at)
    assert [each.value for each in edition.signs] == [C2]
    guarding.require_publishable(version, edition, [], at)


def test_whoever_suffered_elsewhere_is_no_sign_here() -> None:
    clear = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    hand_over("TLP:GREEN", body=b"time,ip,event type,role\n2026-11-20T10:00:00Z,198.51.100.9,infected-system,VICTIM\n",
              login="omar_partner")  # fmt: skip
    version = begun(clear)
    version.content = {**to_json(content_of(version)), "indicators": [to_json(each) for each in marked(version)]}
    edition = editions.edition_of(version, timezone.now())
    assert edition.signs == ()
    told = replace(edition, signs=(PublicSign(C2, Kind.IPV4),))
    with pytest.raises(LeaksFound) as found:
        guarding.require_publishable(version, told, [], timezone.now())
    assert "victim" in {why for _language, _where, why in found.value.places}


def test_who_suffered_is_known_however_often_a_value_was_handed_over_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grounds, "MOST_HOLDERS", 1)
    suffered = b"time,ip,event type,role\n2026-11-20T10:00:00Z,198.51.100.9,infected-system,VICTIM\n"
    hand_over("TLP:GREEN", body=suffered, login="omar_partner")
    hand_over("TLP:CLEAR", body=OTHER, pap="PAP:CLEAR")
    assert Role.VICTIM.value in grounds.holdings([(Kind.IPV4, C2)])[C2].roles


def test_the_source_that_is_not_named_stands_in_no_text() -> None:
    ground = hand_over()
    version = begun(ground, texts=alert_life.texts(happening=f"{ground.organisation.name} saw it first."))
    at = timezone.now()
    with pytest.raises(LeaksFound) as found:
        guarding.require_publishable(version, editions.edition_of(version, at), [], at)
    assert found.value.places == (("en", "happening", "source"),)


def test_w17_a_state_is_named_in_no_language_at_any_step() -> None:
    version = begun()
    services.submit(version, by=people.call(alert_life.AUTHOR), at=timezone.now())
    services.pass_quality(version, by=people.call(alert_life.REVIEWER), at=timezone.now())
    version = alert_life.fresh(version)
    alert_life.translated(version, ("fr",))
    held = version.translations.get(language="fr")
    texts = texts_of(held.content)
    held.content = to_json(type(texts)(**{**{n: getattr(texts, n) for n in texts.__struct_fields__},
                                          "assessment": "Une attaque parrainée par un État."}))  # fmt: skip
    held.save()
    with pytest.raises(StateNamed) as found:
        services.pass_legal(version, by=people.call(alert_life.LEGAL), at=timezone.now())
    assert found.value.found[0][:2] == ("fr", "assessment")
    edition = editions.edition_of(version, timezone.now())
    with pytest.raises(StateNamed):
        guarding.require_publishable(version, edition, [], timezone.now())
    held.delete()
    services.pass_legal(version, by=people.call(alert_life.LEGAL), at=timezone.now())
    guarding.require_publishable(version, edition, [], timezone.now())


def test_w31_no_public_edition_of_an_exercise() -> None:
    version = begun()
    version.alert.is_exercise = True
    with pytest.raises(Refused, match="alert-exercise"):
        guarding.require_publishable(version, editions.edition_of(version, timezone.now()), [], timezone.now())


def _zip(name: str, body: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, body)
    return out.getvalue()


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("a.html", "text/html", b"<p>203.0.<b>113</b>.7</p>"),
        ("a.html", "text/html", b'<img alt="203.0.113.7">'),
        ("a.html", "text/html", b"<!-- 203.0.113.7 -->"),
        ("a.html", "text/html; charset=utf-8", b"<p>203&#46;0&#46;113&#46;7</p>"),
        ("a.svg", "image/svg+xml", b"<svg><desc>203.0.113.7</desc></svg>"),
        ("a.xml", "application/atom+xml", b"<feed><![CDATA[203.0.113.7]]></feed>"),
        ("a.json", "application/stix+json;version=2.1", b'{"objects": [{"name": "x", "d": ["203.0.113.7"]}]}'),
        ("a.jsonld", "application/ld+json", b'{"203.0.113.7": 1}'),
        ("a.txt", "text/plain", "see \u0662\u0660\u0663.\u0660.\u0661\u0661\u0663.\u0667".encode()),
        ("a.js", "text/javascript", b"x='MjAzLjAuMTEzLjc='"),
        ("kit.zip", "application/zip", _zip("en/post.txt", b"203[.]0[.]113[.]7")),
        ("kit.zip", "application/zip", _zip("203.0.113.7.txt", b"")),
        ("odd.bin", "application/x-odd", b""),
        ("a.json", "application/json", b"{"),
    ],
)  # fmt: skip
def test_every_sort_of_output_is_read(path: str, media_type: str, body: bytes) -> None:
    version = begun()
    at = timezone.now()
    with pytest.raises(LeaksFound) as found:
        guarding.require_publishable(
            version, editions.edition_of(version, at), [File(path, media_type, body, "en")], at
        )
    assert {where.partition(":")[0] for _language, where, _why in found.value.places} == {path}


def test_what_lies_in_an_archive_and_beside_it_is_read_once_and_found_all_the_same() -> None:
    said, other = b"the host 203.0.113.7 was hit", b"the host 203.0.113.7 was hit."
    beside = File("en/post.txt", "text/plain", said, "en")

    def read(*files: File) -> list[str]:
        return [text.place.attachment for text in written.texts_of_all(files) if "203.0.113.7" in text.text]

    kit = File("kit.zip", "application/zip", _zip("en/post.txt", said), "")
    assert read(beside, kit) == read(kit, beside) == ["en/post.txt"]
    assert read(kit) == ["kit.zip: en/post.txt"]
    # One byte more, another kind, or a file that is not read itself: then the archive's own is.
    assert len(read(beside, File("kit.zip", "application/zip", _zip("en/post.txt", other), ""))) == 2
    assert len(read(beside, File("kit.zip", "application/zip", _zip("en/post.json", b'"%s"' % said), ""))) == 2
    assert read(File("keys/post.txt", "text/plain", said, ""), kit) == ["kit.zip: en/post.txt"]


def test_drawings_and_signatures_are_no_text() -> None:
    drawing = File("a.svg", "image/svg+xml", b'<svg><path d="M203.0 113.7 203.0.113.7"/></svg>', "en")
    seal = File("a.xml", "application/xml", b"<a><ds:DigestValue>203.0.113.7</ds:DigestValue>said</a>", "en")
    assert [text.text for text in written.texts_of(drawing)] == [""]
    assert [text.text for text in written.texts_of(seal)] == ["said"]
    assert not list(written.texts_of(File("a.cap.xml.sig", "application/octet-stream", b"203.0.113.7", "")))


def test_what_is_published_holds_no_victim_in_any_file() -> None:
    version = alert_life.in_public(begun(hand_over("TLP:CLEAR", pap="PAP:CLEAR")))
    assert version.state == State.PUBLIC
    for each in PublicFile.objects.filter(alert=version.alert):
        for text in written.texts_of(File(each.path, each.media_type, files.read(each.sha256), each.language)):
            assert VICTIM not in text.text
            assert not text.unreadable, (each.path, text.unreadable)
