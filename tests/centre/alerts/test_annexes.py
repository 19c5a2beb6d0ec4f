"""Documents of alerts: made anew when they come in, looked through before everybody reads them, taken down with it."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from typing import Any

import msgspec
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from tests import alert_life, people
from tests.centre.alerts.test_parcels import alerts_in, files_of, packed
from tests.centre.alerts.test_recalls import taken_back, with_sign
from tests.crew import work
from tests.found_alerts import C2, VICTIM, begun, hand_over
from tests.pure.test_rewriting import document, saved

from tocsin.centre.alerts import attaching, files, publishing, recalls, services
from tocsin.centre.alerts.guarding import LeaksFound, StateNamed
from tocsin.centre.alerts.models import PublicFile, Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import content_of
from tocsin.core.errors import InputError
from tocsin.products.alerts.draft import to_json
from tocsin.products.alerts.record import Made

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]
TITLE = "How the false page looks"
TITLES = {
    "fr": "À quoi ressemble la fausse page", "es": "Cómo es la página falsa", "ar": "كيف تبدو الصفحة الزائفة",
}  # fmt: skip


def attached(version: Version, text: str = "Look for this letter.", *, is_public: bool = True, **said: Any) -> Version:
    given = said.pop("content", None) or saved(document(text))
    return attaching.attach_annex(
        version, [given], "doe.pdf", title=said.get("title", TITLE), is_public=is_public, base=version.revision,
        by=people.call(alert_life.AUTHOR), at=timezone.now(),
    )  # fmt: skip


def with_police(version: Version) -> Version:
    """Until the police has it; its document's title in every language."""
    version = alert_life.ready(version, ())
    for language in ("fr", "es", "ar"):
        said = alert_life.texts(language, image_texts={name_of(version): TITLES[language]})
        made = services.translate(
            version, language, to_json(said), base=0, made=Made.HUMAN, by=people.call(alert_life.TRANSLATOR),
            at=timezone.now(),
        )  # fmt: skip
        services.check(made, by=people.call(alert_life.CHECKER), at=timezone.now())
    publishing.approve(alert_life.fresh(version), by=people.call(alert_life.RELEASER), at=timezone.now())
    work()
    return alert_life.fresh(version)


def in_public(version: Version) -> Version:
    publishing.publish_public(with_police(version), by=people.call(alert_life.RELEASER), at=timezone.now())
    return alert_life.fresh(version)


def name_of(version: Version) -> str:
    return content_of(version).annexes[0].name


def addresses() -> dict[str, PublicFile]:
    return {each.path: each for each in PublicFile.objects.all()}


def test_a_document_is_published_signed_offered_everywhere_and_taken_down() -> None:
    version = in_public(attached(alert_life.begun()))
    number, name = str(version.alert), name_of(version)
    there = addresses()
    path = f"{number}/annexes/{name}"
    body = files.read(there[path].sha256)
    assert body.startswith(b"%PDF-")
    assert f"{path}.sig" in there
    manifest = json.loads(files.read(there[f"{number}/v1.manifest.json"].sha256))
    assert manifest["files"][path]["size_bytes"] == len(body)
    for language in ("en", "fr", "es", "ar"):
        page = files.read(there[f"{language}/{number}/"].sha256).decode()
        assert f"annexes/{name}" in page
    message = files.read(there[f"{number}/alert.cap.xml"].sha256).decode()
    assert message.count(f"/{path}</uri>") == 4
    assert f"<resourceDesc>{TITLE}</resourceDesc>" in message
    bundle = json.loads(files.read(there[f"{number}/alert.stix.json"].sha256))
    [report] = [each for each in bundle["objects"] if each["type"] == "report"]
    assert [each for each in report["external_references"] if each.get("url", "").endswith(path) and each["hashes"]]
    with zipfile.ZipFile(BytesIO(files.read(there[f"{number}/kit.zip"].sha256))) as kit:
        [inside] = [each for each in kit.namelist() if each.endswith(f"annexes/{name}")]
        assert kit.read(inside) == body
    alert_life.cancelled(version)
    assert PublicFile.objects.get(path=path).is_gone
    assert files.read(PublicFile.objects.get(path=path).sha256) != body


def offering(number: str, name: str) -> set[str]:
    """Where a document is offered."""
    named = (each for each in addresses().values() if not each.is_gone and name.encode() in files.read(each.sha256))
    return {each.path for each in named if not each.path.endswith(".sig")}


def test_an_update_without_it_offers_it_with_the_former_version_alone() -> None:
    first = in_public(attached(alert_life.begun()))
    number, name = str(first.alert), name_of(first)
    path = f"{number}/annexes/{name}"
    assert {"en/feed.atom", "en/feed.rss", f"{number}/alert.cap.xml", f"en/{number}/"} <= offering(number, name)
    before = files.read(addresses()[path].sha256)
    said = alert_life.texts(reason="The letter is another one.")
    made = alert_life.updated(first, annexes=(), texts=said)
    alert_life.in_public(made)
    pages = {f"{language}/{number}/v1/" for language in ("en", "fr", "es", "ar")}
    of_first = {f"{number}/v1.cap.xml", f"{number}/v1.manifest.json"}
    assert offering(number, name) == pages | of_first
    assert files.read(addresses()[path].sha256) == before, "whom the former version led there finds it"
    assert not addresses()[path].is_gone


def test_a_value_that_is_recalled_and_stands_in_a_document_takes_all_of_it_down() -> None:
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    version = in_public(attached(with_sign(ground), f"Traffic to {C2}."))
    number, name = str(version.alert), name_of(version)
    taken_back(ground)
    recalls.tick(timezone.now())
    assert Version.objects.filter(alert=version.alert).latest("number").state == State.CANCELLED
    there = addresses()[f"{number}/annexes/{name}"]
    assert there.is_gone
    assert not files.read(there.sha256).startswith(b"%PDF")
    assert offering(number, name) == set()


def test_a_value_that_is_recalled_leaves_a_document_that_does_not_name_it() -> None:
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    version = in_public(attached(with_sign(ground)))
    number, name = str(version.alert), name_of(version)
    taken_back(ground)
    recalls.tick(timezone.now())
    assert f"{number}/v2.cap.xml" in offering(number, name)
    assert {"en/feed.atom", "en/feed.rss", f"en/{number}/"} <= offering(number, name)
    there = addresses()[f"{number}/annexes/{name}"]
    assert not there.is_gone
    assert files.read(there.sha256).startswith(b"%PDF")


def test_what_is_for_the_police_alone_is_in_no_public_file_and_in_the_package() -> None:
    title = "Wording of the seizure order"
    version = alert_life.in_public(attached(begun(), is_public=False, title=title))
    name = name_of(version)
    for each in addresses().values():
        body = files.read(each.sha256)
        assert name.encode() not in body, each.path
        assert title.encode() not in body, each.path
    [package] = packed()
    inside = files_of(package)
    [told] = alerts_in(inside)
    stands = f"alert-{version.alert}-v1.{name}"
    assert stands in told["files"]
    assert inside[stands].startswith(b"%PDF-")


def test_a_bureau_reads_it_on_its_page(client: Client) -> None:
    version = alert_life.with_police(attached(begun(), is_public=False))
    people.let_in(client, "fleur_officer")
    page = f"/police-alerts/{version.alert}/"
    assert name_of(version) in client.get(page).content.decode()
    given = client.get(f"{page}{name_of(version)}/")
    assert given["Content-Type"] == "application/pdf"
    assert given.content.startswith(b"%PDF-")
    assert client.get(f"{page}annex-000000000000.pdf/").status_code == 404


def test_a_victim_in_a_document_stops_all_languages() -> None:
    """W03, in an attachment; and the finding names the file and not the value."""
    made = begun()
    version = with_police(attached(made, f"Infected: {VICTIM.replace('.', '[.]')}"))
    with pytest.raises(LeaksFound) as caught:
        publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert {where for _language, where, _why in caught.value.places} == {name_of(version)}
    assert VICTIM not in str(caught.value)
    assert not PublicFile.objects.filter(alert=version.alert).exists()


def test_a_document_names_no_state_either() -> None:
    version = attached(alert_life.begun(), "The Russian government ordered the attack.", is_public=False)
    with pytest.raises(StateNamed):
        alert_life.with_police(version)


def test_a_scan_is_for_the_police_alone() -> None:
    blank = document("x")
    blank.pages[0].Contents = blank.make_stream(b"0 0 10 10 re f")
    with pytest.raises(InputError) as caught:
        attached(alert_life.begun(), content=saved(blank))
    assert caught.value.reason == "annex-unreadable"
    assert content_of(attached(alert_life.begun(), content=saved(blank), is_public=False)).annexes


def test_a_new_document_is_a_change_of_text_and_another_audience_one_of_the_label() -> None:
    version = attached(alert_life.begun())
    draft = content_of(version)
    assert msgspec.structs.replace(draft, annexes=()).text_digest != draft.text_digest
    other = msgspec.structs.replace(draft, annexes=(msgspec.structs.replace(draft.annexes[0], is_public=False),))
    assert other.label_digest != draft.label_digest
    passed = alert_life.ready(alert_life.begun())
    assert passed.state == State.APPROVAL
    assert alert_life.fresh(attached(passed)).state in {State.DRAFT, State.QUALITY}


def test_it_is_refused_with_a_reason_and_leaves_nothing() -> None:
    version = alert_life.begun()
    for said, reason in (
        ({"content": b"<svg/>"}, "annex-kind"), ({"title": "  "}, "annex-without-title"),
        ({"content": b"%PDF-1.7\nx"}, "document-damaged"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            attached(version, **said)
        assert caught.value.reason == reason
    assert not version.alert.attached.exists()
    assert alert_life.fresh(version).revision == version.revision


def test_the_desk_attaches_shows_and_takes_out(client: Client) -> None:
    version = alert_life.begun()
    people.let_in(client, alert_life.AUTHOR)
    page = f"/alert-desk/{version.alert.reference}/images/"
    given = SimpleUploadedFile("doe.pdf", saved(document()), content_type="application/pdf")
    said = {"annex": given, "annex_title": TITLE, "audience": "public", "base": version.revision}
    shown = client.post(page, said, follow=True).content.decode()
    version = alert_life.fresh(version)
    name = name_of(version)
    assert TITLE in shown
    assert name in shown
    assert client.get(f"{page}{name}/").content.startswith(b"%PDF-")
    client.post(page, {"remove": name, "base": version.revision})
    assert content_of(alert_life.fresh(version)).annexes == ()
    assert content_of(alert_life.fresh(version)).texts.image_texts == {}
