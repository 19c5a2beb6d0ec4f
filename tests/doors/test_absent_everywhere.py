"""Excluded equals absent at every door there is (I1, I2): no list of doors here, all addresses of the project are walked.

A source hands over a whole scene from which the readers are excluded: deliveries, objects, a report, a release with its
answers, a recall, a purge, a legal hold, a package, a redaction, a permission, a circular. Nobody of them may be able
to tell, at any page, any address for programs, in any header; nor at the addresses of the hidden things themselves.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import zip_longest
from typing import Any, NamedTuple

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from tests import builders, scene

from tocsin.api.urls import api
from tocsin.centre.circulars.models import Circular
from tocsin.centre.intake.models import Batch
from tocsin.centre.knowledge.models import Document
from tocsin.centre.members.models import Person
from tocsin.centre.members.services import add_key
from tocsin.taxii import urls as taxii_urls
from tocsin.taxii.answers import MEDIA_TYPE

from .conftest import EVERY_SCOPE
from .test_access import ARGUMENTS, ROWS, _address
from .test_absent import VOLATILE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

AGAINST = ("country:FR", "country:JO", "southgate")
OWN_TIME = {"Expires", "Set-Cookie"}
"""Headers that differ from one answer to the next of the same thing."""
OBJECT_ID = "indicator--00000000-0000-4000-8000-000000000001"


class Answer(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def answer(response: Any, *gone: str) -> Answer:
    """All that was said, without what is new at each request and without the address that was asked for."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    headers = {name: value for name, value in response.headers.items() if name not in OWN_TIME}
    text = VOLATILE.sub(b"", body)
    for each in gone:
        text = text.replace(each.encode(), b"")
        headers = {name: value.replace(each, "") for name, value in headers.items()}
    if text != body or gone:
        headers.pop("Content-Length", None)
    return Answer(response.status_code, tuple(sorted(headers.items())), text)


def left_out() -> list[Person]:
    """Who is excluded: a bureau, a unit below it, a partner, and a secondee of that partner in a seat at the Centre."""
    unit = builders.organisation("nu-fr", class_name="law-enforcement", country="FR", parent=builders.bureau("FR"))
    partner = builders.organisation("southgate")
    seat = ("analyst", "reviewer", "dissemination", "duty")
    return [
        builders.person("hugo_excluded", builders.bureau("FR"), "head", "officer"),
        builders.person("una_excluded", unit, "officer"),
        builders.person("omar_excluded", partner, "manager", "analyst"),
        builders.person("sven_excluded", builders.centre(), *seat, employer=partner),
    ]




# Every address


def addresses(shown: scene.Scene, person: Person, secret_circular: str) -> dict[str, str]:
    """Address → the name of its door: all pages, all of the API and all of TAXII, of these things."""
    found = {_address(name, shown, person): name for name in ROWS}
    found[reverse("lookup") + "?q=192.0.2.7"] = "lookup"
    found[reverse("lookup") + "?q=Grey+Heron"] = "lookup"
    found[reverse("received-list") + "?state=all"] = "received-list"
    return found | _of_api(shown, secret_circular) | _of_taxii(shown, person)


def _of_api(shown: scene.Scene, circular: str) -> dict[str, str]:
    said = {
        "receipt": shown.delivery.receipt, "reference": shown.delivery.receipt, "key": shown.thing.pk,
        "code": shown.package.country,
    }  # fmt: skip
    found = {}
    for path in api.get_openapi_schema(path_prefix="/api/v1/")["paths"]:
        number = shown.package.number if "/packages" in path else circular if "/circulars" in path else shown.recall.number
        found[path.format(number=number, **said)] = path
    return found | {f"/api/v1/lookup?q={each}": "/api/v1/lookup" for each in ("192.0.2.7", "Grey%20Heron")}


def _of_taxii(shown: scene.Scene, person: Person) -> dict[str, str]:
    said = {"slug": person.organisation.slug, "receipt": shown.delivery.receipt, "object_id": OBJECT_ID}
    found = {}
    for each in taxii_urls.urlpatterns:
        if not isinstance(each, URLPattern) or each.name == "taxii-nothing":
            continue
        wanted = set(each.pattern.converters)
        names = ("released", "recalls", "inbox") if "name" in wanted else ("",)
        for name in names:
            told = {key: value for key, value in (said | {"name": name}).items() if key in wanted}
            found[reverse(each.name, kwargs=told)] = str(each.name)
    return found


class Reader:
    """Somebody with a browser and a program."""

    def __init__(self, person: Person) -> None:
        now = timezone.now()
        ends = now + timedelta(days=90)
        _, secret = add_key(person=person, name="test", scopes=EVERY_SCOPE, expires_at=ends, by="test", at=now)
        self.person = person
        self.browser = Client()
        self.browser.force_login(self.person)
        self.program = Client(headers={"Authorization": f"Bearer {secret}", "Accept": f"{MEDIA_TYPE}, */*"})

    def asks(self, address: str, *gone: str, post: bool = False) -> Answer:
        cache.clear()
        client = self.program if address.startswith(("/api/", "/taxii2/")) else self.browser
        return answer(client.post(address) if post else client.get(address), *gone)


def hide(against: tuple[str, ...]) -> tuple[scene.Scene, str]:
    """The same scene by another source for others, with all that hangs on it, and a circular between others."""
    made = scene.make("westgate", ("BR", "KE"), 2, exclusions=against)
    batch = made.delivery.batches.get()
    builders.objects(batch, [builders.indicator(1)])
    builders.tallies(batch, [(builders.NOW.date(), "FR", "bot", "VICTIM", 11)])
    Document.objects.create(delivery=made.delivery, batch=batch, title="Grey Heron", language="en", text="192.0.2.7")
    scene.redaction(made.delivery)
    sent = builders.delivery(builders.bureau("KE"), "c.md", title="A loader", format="prose", is_circular=True,
                             is_private=True)  # fmt: skip
    builders.batch(sent, builders.handling(audience=("ncb-br",), exclusions=against), released_to=("ncb-br",),
                   is_private=True)  # fmt: skip
    number = Circular.objects.create(number="C-2026-000001", delivery=sent, audience=["ncb-br"],
                                     sent_at=builders.NOW).number  # fmt: skip
    return made, number


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> scene.Scene:
    """What everybody may see; all organisations and people are there already."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    for each in ("westgate", "southgate", "centre"):
        builders.organisation(each) if each != "centre" else builders.centre()
    for code in ("BR", "KE", "FR", "JO"):
        builders.bureau(code)
        builders.person(f"{code.lower()}_answers", builders.bureau(code), "officer")
    made = scene.make()
    builders.objects(made.delivery.batches.get(), [builders.indicator(2)])
    return made


def test_i2_no_door_tells_the_excluded_that_there_is_something(shown: scene.Scene) -> None:
    readers = [Reader(each) for each in left_out()]
    circular = scene.circular().number
    asked = {reader: addresses(shown, reader.person, circular) for reader in readers}
    for reader, found in asked.items():
        for address in found:
            reader.asks(address)  # What opening it changes, as a first reading that is noted, has changed by now.
    before = {reader: {address: reader.asks(address) for address in found} for reader, found in asked.items()}
    hide(AGAINST)
    for reader, found in asked.items():
        told = {name: (before[reader][address], reader.asks(address)) for address, name in found.items()}
        telling = {name: _difference(*both) for name, both in told.items() if both[0] != both[1]}
        assert telling == {}, f"{reader.person.login} can tell"


def _difference(before: Answer, after: Answer) -> list[str]:
    if before[:2] != after[:2]:
        return [f"{before.status}: {set(before.headers) ^ set(after.headers)}, {after.status}"]
    lines = zip_longest(before.body.decode().splitlines(), after.body.decode().splitlines())
    return [f"{one!r} became {other!r}" for one, other in lines if one != other][:3]
