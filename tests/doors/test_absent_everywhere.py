"""Excluded equals absent at every door there is (I1, I2): every address of the project is walked, none is listed here.

A source hands over a whole scene from which the readers are excluded: deliveries, objects, a report, a release with its
answers, a recall, a purge, a legal hold, a package, a redaction, a permission, a circular. Nobody of them may be able
to tell, at any page, any address for programs, in any header; nor at the addresses of the hidden things themselves.
"""

from __future__ import annotations

import difflib
import re
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from tests import alerts_at_desk, builders, scene

from tocsin.api.urls import api
from tocsin.centre.circulars.models import Circular
from tocsin.centre.intake import deliveries as intake
from tocsin.centre.intake.models import Delivery, Hold
from tocsin.centre.knowledge.models import Document
from tocsin.centre.members.models import Person
from tocsin.centre.members.services import add_key
from tocsin.centre.members.sessions import PROVED_AT
from tocsin.centre.numbers import RowConverter, drawn_number
from tocsin.centre.permissions.models import Permission
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release.models import Package
from tocsin.centre.retention.models import Review
from tocsin.lake.scope import Batches
from tocsin.taxii import urls as taxii_urls
from tocsin.taxii.media_types import MEDIA_TYPE

from .conftest import EVERY_SCOPE
from .test_absent import VOLATILE
from .test_access import ARGUMENTS, ROWS, _address

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]

AGAINST = ("country:FR", "country:JO", "southgate")
OWN_TIME = {"Expires", "Set-Cookie"}
"""Headers that differ from one answer to the next of the same thing."""
KEEPS_COUNT = {"emergency", "emergency-delivery", "emergency-original"}
"""Pages that list each opening of themselves."""
OBJECT_ID = "indicator--00000000-0000-4000-8000-000000000001"


address_of = RowConverter().to_url


class Answer(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


MARK, MARK_INSIDE = re.compile(r"TOC-[0-9A-Z]{16}"), re.compile(rb"TOC-[0-9A-Z]{16}")
"""The mark of a copy, drawn each time somebody takes one."""


def answer(response: Any, *gone: str) -> Answer:
    """All that was said, without what is new at each request and without the address that was asked for."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    headers = {name: value for name, value in response.headers.items() if name not in OWN_TIME}
    headers = {name: MARK.sub("", value) for name, value in headers.items()}
    text = MARK_INSIDE.sub(b"", VOLATILE.sub(b"", body))
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
        "receipt": shown.delivery.receipt, "reference": shown.delivery.receipt, "key": address_of(shown.thing.pk),
        "code": shown.package.country, "alert": "METHOD-2026-0042", "form": "csv", "proposal": "AP-2026-0123456789",
    }  # fmt: skip
    found = {}
    for path in api.get_openapi_schema(path_prefix="/api/v1/")["paths"]:
        found[path.format(number=_number_in(path, shown, circular), **said)] = path
    return found | {f"/api/v1/lookup?q={each}": "/api/v1/lookup" for each in ("192.0.2.7", "Grey%20Heron")}


def _number_in(path: str, shown: scene.Scene, circular: str) -> str:
    asked = Permission.objects.filter(delivery=shown.delivery).first()
    numbers = {
        "/packages": shown.package.number, "/circulars": circular, "/recalls": shown.recall.number,
        "/permissions": asked.number if asked else "P-2026-0123456789",
    }  # fmt: skip
    return next((number for part, number in numbers.items() if part in path), "")


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
        session = self.browser.session
        session[PROVED_AT] = now.timestamp()
        session.save()
        self.program = Client(headers={"Authorization": f"Bearer {secret}", "Accept": f"{MEDIA_TYPE}, */*"})

    def asks(self, address: str, *gone: str, post: bool = False) -> Answer:
        cache.clear()
        client = self.program if address.startswith(("/api/", "/taxii2/")) else self.browser
        return answer(client.post(address) if post else client.get(address), *gone)


def hide(against: tuple[str, ...]) -> tuple[scene.Scene, str]:
    """The same scene by another source for others, with all that hangs on it, and a circular between others."""
    source = builders.organisation("westgate")
    source.defaults = {"exclusions": list(against)}
    source.save()
    made = scene.make("westgate", ("BR", "KE"), 2, exclusions=against)
    batch = made.delivery.batches.get()
    builders.objects(batch, [builders.indicator(1)])
    builders.tallies(batch, [(builders.NOW.date(), "FR", "bot", "VICTIM", 11)])
    Package.objects.filter(country="BR").update(batches=Batches([batch.pk]).packed())
    Document.objects.create(delivery=made.delivery, batch=batch, title="Grey Heron", language="en", text="192.0.2.7")
    scene.redaction(made.delivery)
    asked = scene.permission(made.delivery)
    Permission.objects.filter(pk=asked.pk).update(
        asked_for=builders.bureau("BR"), asked_by=Person.objects.get(login="br_answers")
    )
    held = builders.delivery(source, "held.csv", state="held", format="")
    Hold.objects.create(delivery=held, kind="legal", held_at=builders.NOW, finds=[], facts={"format": "", "rows": 1})
    alerts_at_desk.alert((batch.pk,))
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
    before = {reader: {address: reader.asks(address) for address in found} for reader, found in asked.items()}
    for reader, answers in before.items():
        for address, first in answers.items():
            if first.status < 300:  # What opening it changed, as a first reading that is noted, is not what is asked.
                answers[address] = reader.asks(address)
    hide(AGAINST)
    for reader, found in asked.items():
        told = {
            name: (before[reader][address], reader.asks(address))
            for address, name in found.items()
            if name not in KEEPS_COUNT
        }
        telling = {name: _difference(*both) for name, both in told.items() if both[0] != both[1]}
        assert telling == {}, f"{reader.person.login} can tell"


def _difference(before: Answer, after: Answer) -> list[str]:
    if before[:2] != after[:2]:
        return [f"{before.status}: {set(before.headers) ^ set(after.headers)}, {after.status}"]
    one, other = re.findall(r"[^<>]+", before.body.decode()), re.findall(r"[^<>]+", after.body.decode())
    lines = (line for line in difflib.unified_diff(one, other, lineterm="", n=0) if line[:3] not in ("---", "+++"))
    return [line[:120] for line in lines if line[:1] in "+-" and line[1:].strip()][:6]


# The addresses of the hidden things themselves

OF_THE_READER = {"session-end", "passkey-remove", "key-revoke", "watch-stop", "person", "person-act", "unit-act",
                 "alert-proposal", "alert-publish-refused"}  # fmt: skip
"""What these are about belongs to the reader, or to people whom it manages."""
OF_THE_HOUSE = {
    "organisation", "organisation-edit", "agreement", "agreement-prepare", "agreement-of", "agreement-move",
    "agreement-part", "membership", "provider", "provider-switch", "provider-remove", "provider-unlink", "order", "act",
    "act-proof", "rights-request", "rights-letter", "rights-act", "country", "country-networks", "map-columns-table",
    "emergency", "emergency-approve", "emergency-end", "emergency-delivery", "emergency-original",
    "alert-proposal-desk",
}  # fmt: skip
"""Members, countries and what the Centre keeps about its own work: no source's data are behind these numbers."""


def hidden_addresses(hidden: scene.Scene, circular: str, person: Person) -> dict[str, tuple[str, str]]:
    """Address of something hidden → the same address of nothing, and the name of the door."""
    found = {}
    for name in ARGUMENTS.keys() - OF_THE_READER - OF_THE_HOUSE:
        arguments = _arguments(name, hidden, circular, person)
        said = arguments[-1] if name.startswith("follow-up") else arguments[0]
        absent = [_nothing(each) if each == said else each for each in arguments]
        found[reverse(name, args=arguments)] = (reverse(name, args=absent), name)
    for path in api.get_openapi_schema(path_prefix="/api/v1/")["paths"]:
        if re.search(r"{(receipt|reference|key|number)}", path):
            said = {
                "receipt": hidden.delivery.receipt,
                "reference": hidden.delivery.receipt,
                "key": address_of(hidden.thing.pk),
            }
            said["number"] = _number_in(path, hidden, circular)
            absent = {name: _nothing(each) for name, each in said.items()} | {"key": address_of(987654321)}
            found[path.format(code="FR", **said)] = (path.format(code="FR", **absent), path)
    root = f"/taxii2/{person.organisation.slug}"
    found[f"{root}/status/{hidden.delivery.receipt}/"] = (f"{root}/status/{'z' * 16}/", "taxii-status")
    for tail in ("", "versions/"):
        address = f"{root}/collections/released/objects/{{}}/{tail}"
        absent = OBJECT_ID.replace("000001", "999999")
        found[address.format(OBJECT_ID)] = (address.format(absent), f"taxii-object {tail}")
    return found


def _arguments(name: str, hidden: scene.Scene, circular: str, person: Person) -> tuple[object, ...]:
    """As the access table has them, but of what is hidden where the scene there makes something of its own."""
    of_topic: dict[str, object] = {
        "circular": circular,
        "permission": Permission.objects.get(source__slug="westgate").pk,
        "permission-ask": hidden.delivery.receipt,
        "permission-ask-part": hidden.delivery.batches.earliest("pk").pk,
        "redaction": Redaction.objects.get(of=hidden.delivery).pk,
        "redaction-new": hidden.delivery.receipt,
        "hold": Hold.objects.get(delivery__organisation__slug="westgate").pk,
        "term-answer": Review.objects.get(delivery=hidden.report).pk,
        "referral": scene.referral("BR").number,
        "alert-public-reach-of": "METHOD-2026-0099",  # How often the public read something is hidden from nobody here.
    }
    if name in of_topic:
        return (of_topic[name],)
    if name in {"alert-proposal", "alert-publish-refused"}:
        return (alerts_at_desk.proposal(Person.objects.get(login="br_answers")).reference,)
    if name.startswith("alert-"):
        alert = alerts_at_desk.alert((hidden.delivery.batches.earliest("pk").pk,)).reference
        beside = {"alert-translate": "fr", "alert-check": "fr", "alert-image": alerts_at_desk.image()}
        return (alert, beside[name]) if name in beside else (alert,)
    topic = name.split("-")[0]
    return (of_topic[topic],) if topic in of_topic else ARGUMENTS[name](hidden, person)


def _nothing(said: object) -> object:
    """What looks alike and names nothing."""
    if isinstance(said, int):
        return 987654321
    text = str(said)
    return f"{text[:-2]}{'77' if text[-2:] != '77' else '78'}"


def test_i2_the_hidden_answers_at_its_own_address_as_nothing_does(shown: scene.Scene) -> None:
    readers = [Reader(each) for each in left_out()]
    hidden, circular = hide(AGAINST)
    telling = {}
    for reader in readers:
        for address, (absent, name) in hidden_addresses(hidden, circular, reader.person).items():
            for post in (False, True):
                one, other = (reader.asks(each, each, quote(each, safe=""), post=post) for each in (address, absent))
                if one != other or one.status < 300:
                    telling[reader.person.login, name, "POST" if post else "GET"] = (
                        _difference(one, other) or one.status
                    )
    assert telling == {}


# Numbers that would count


def test_addresses_and_numbers_count_nothing() -> None:
    numbers = [1, 2, 3, 1 << 40, (1 << 63) - 1]
    texts = [address_of(number) for number in numbers]
    assert [RowConverter().to_python(text) for text in texts] == numbers
    assert len({text[:4] for text in texts}) == len(texts), "neighbours look like strangers"
    for foreign in ("A" * 22, texts[0][::-1], "0000000000000000000001"):
        with pytest.raises(ValueError, match=foreign):
            RowConverter().to_python(foreign)
    drawn = {drawn_number("RC", builders.NOW) for _ in range(50)}
    assert len(drawn) == 50
    assert all(re.fullmatch(r"RC-2026-[0-9A-F]{10}", each) for each in drawn)


def test_where_the_next_page_begins_says_nothing_of_numbers() -> None:
    source = builders.organisation("southgate")
    made = [builders.delivery(source, f"d{place}.csv", builders.NOW + timedelta(hours=place)) for place in range(3)]
    page = intake.page_of(Delivery.objects.all(), "", 2)
    assert [each.name for each in page.rows] == ["d2.csv", "d1.csv"]
    assert "~" not in page.next
    assert [each.name for each in intake.page_of(Delivery.objects.all(), page.next, 2).rows] == ["d0.csv"]
    forged = f"{made[1].received_at.isoformat()}~{made[1].pk}"
    assert not intake.page_of(Delivery.objects.all(), forged, 2).first, "a place that was not given out begins anew"
