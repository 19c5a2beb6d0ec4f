"""What is under way when it may not go on: a session, a key or what is being fetched ends, and nothing more leaves.

Of keys: tests/doors/test_key_bounds.py (uploads, look-ups, a package); of emergencies: tests/doors/test_emergency.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene
from tests.doors.conftest import GiveKey, give_key, store  # noqa: F401 - fixtures.
from tests.doors.test_key_bounds import TAXII, signed

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import originals
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.members import browsers, doors
from tocsin.centre.members.models import Key, Organisation, Person
from tocsin.centre.release.models import Package
from tocsin.core.errors import NotFound

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
PACKAGE = "FR-2026-0001"


def _end_session() -> None:
    for each in Person.objects.filter(login="fleur_officer"):
        browsers.end_all(each)


def _close_account() -> None:
    Person.objects.filter(login="fleur_officer").update(is_active=False)


def _withdraw_bureau() -> None:
    Organisation.objects.filter(slug="ncb-fr").update(withdrawn_at=timezone.now())


def _recall_package() -> None:
    Package.objects.update(recalled_at=timezone.now())


@pytest.mark.parametrize("end", [_end_session, _close_account, _withdraw_bureau, _recall_package])
def test_a_download_on_the_portal_breaks_off_where_it_may_not_go_on(
    end: Callable[[], None], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.let_in(client, "fleur_officer")
    shown = scene._package("FR", 1)
    path = settings.INSTALLATION.store_folder / shown.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P" * 3_000_000)
    monkeypatch.setattr(doors, "ASKED_AGAIN_SECONDS", 0)
    address = reverse("package-download", args=[PACKAGE])
    assert len(client.get(address).getvalue()) == 3_000_000
    pieces = iter(client.get(address).streaming_content)
    assert next(pieces)
    end()
    with pytest.raises((doors.SessionEnded, NotFound)):
        list(pieces)
    assert client.get(address).status_code in {302, 404}


def test_an_original_breaks_off_where_its_delivery_is_over(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    pia = people.let_in(client, "pia_partner")
    sent = builders.delivery(pia.organisation, size_bytes=9)
    path = settings.INSTALLATION.store_folder / f"deliveries/{sent.sha256[:2]}/{sent.sha256}"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"P" * 9)
    monkeypatch.setattr(originals, "pieces", lambda path: iter([b"abc", b"def", b"ghi"]))
    monkeypatch.setattr(doors, "ASKED_AGAIN_SECONDS", 0)
    address = reverse("delivery-original", args=[sent.receipt])
    assert client.get(address).getvalue() == b"abcdefghi"
    pieces = iter(client.get(address).streaming_content)
    assert next(pieces)
    Delivery.objects.update(ends_at=timezone.now())
    with pytest.raises(NotFound):
        list(pieces)


def test_an_upload_on_the_portal_whose_session_ends_hands_nothing_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    people.let_in(client, "pia_partner")
    client.get("/")
    is_still_open = browsers.is_still_open

    def ended(number: int | None, at: Any) -> bool:
        browsers.end_all(people.call("pia_partner"))  # While the body came.
        return is_still_open(number, at)

    monkeypatch.setattr(browsers, "is_still_open", ended)
    file = SimpleUploadedFile("list.csv", b"ip\n192.0.2.7\n", "text/csv")
    answer = client.post(reverse("upload"), {"files": file, "organisation": "northwind", "marking": "TLP:AMBER"})
    assert answer.status_code == 302
    assert not Delivery.objects.exists()
    assert not Entry.objects.filter(action="delivery.received").exists()


def test_a_paged_answer_ends_with_the_key_and_with_what_it_gives(
    client: Client,
    give_key: GiveKey,  # noqa: F811 - the fixture.
) -> None:
    fleur = people.call("fleur_officer")
    source = builders.organisation("northwind")
    batches = [builders.batch(builders.delivery(source, rows=0), builders.handling(codes=("H1",))) for _ in range(3)]
    for number, batch in enumerate(batches, start=1):
        builders.objects(batch, [builders.indicator(number)])
        builders.release(batch)
    secret = give_key(fleur.login, ("read", "taxii"))
    headers = signed(secret, **TAXII)
    [root] = [each for each in client.get("/taxii2/", headers=headers).json()["api_roots"] if "ncb-fr" in each]
    address = f"{root.replace('http://testserver', '')}collections/released/objects/?limit=1&match[type]=indicator"

    def named(answer: Any) -> list[str]:
        return [each["name"] for each in json.loads(answer.content).get("objects", ()) if each["type"] == "indicator"]

    first = client.get(address, headers=headers)
    assert named(first) == ["address 1"]
    following = f"{address}&next={first.json()['next']}"
    # Relabelled for others between two pages: nothing of it is on the next one.
    Batch.objects.filter(pk=batches[1].pk).update(handling_set=builders.handling(exclusions=("ncb-fr",)))
    assert named(client.get(following, headers=headers)) == ["address 3"]
    Key.objects.update(revoked_at=timezone.now())
    assert client.get(following, headers=headers).status_code == 401
