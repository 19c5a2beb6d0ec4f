"""What is over answers at every door as if it had never been handed over, to its source and to analysts too (W05)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.knowledge.models import Object
from tocsin.centre.release.models import Package
from tocsin.lake.scope import Batches

from .conftest import GiveKey
from .test_absent import NOW, VOLATILE, answers, handed_over

pytestmark = pytest.mark.django_db
NAMES = ("delivery", "receipt", "delivery-original", "delivery-rejections", "delivery-mend", "term-of")
BOTH = ("pia_partner", "dana_analyst")
"""Who sees most of it before: its source, and an analyst of the Centre."""


def package(batches: Batches, store: Path) -> Package:
    path = store / "packages/FR/FR-2026-0001.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK")
    return Package.objects.create(
        country="FR", number="FR-2026-0001", arrived_from=NOW, arrived_until=NOW, language="fr",
        path="packages/FR/FR-2026-0001.zip", sha256="0" * 64, size_bytes=2, rows=1, created_at=NOW,
        summary={"values_new": 1, "tlp": "TLP:GREEN"}, batches=batches.packed(),
    )  # fmt: skip


def told_of(made: list[Delivery], login: str, secret: str) -> list[tuple[int, bytes]]:
    """What this person is told of each delivery, its objects and a package with it; what is its own blanked out."""
    own = people.call(login).organisation.slug
    browser, program = Client(), Client(headers={"Authorization": f"Bearer {secret}"})
    browser.force_login(people.call(login))
    own_things = Object.objects.filter(delivery__in=[each.pk for each in made if each.pk])
    things = list(own_things.values_list("pk", flat=True)) or [7]
    pages = [reverse(name, args=[each.receipt]) for each in made for name in NAMES]
    pages += [reverse(name, args=[number]) for number in things for name in ("object", "object-raw")]
    pages.append(reverse("package-download", args=["FR-2026-0001"]))
    doors = [f"/api/v1/deliveries/{each.receipt}{tail}" for each in made for tail in ("", "/rejections")]
    doors += [f"/taxii2/{own}/status/{each.receipt}/" for each in made]
    doors.append("/api/v1/countries/FR/packages/FR-2026-0001")
    got = [(address, browser.get(address)) for address in pages] + [(each, program.get(each)) for each in doors]
    return [(each.status_code, VOLATILE.sub(b"", _body(each)).replace(address.encode(), b"")) for address, each in got]


def _body(answer: Any) -> bytes:
    body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body


def test_w05_over_answers_as_if_it_had_never_been(
    store: Path, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    builders.centre()
    keys = {login: give_key(login, ("read",)) for login in BOTH}
    handed_over("southgate", "TLP:GREEN", 0)
    before = {login: answers(login, secret) for login, secret in keys.items()}
    made = handed_over("northwind", "TLP:GREEN", 1)
    held = Batches(list(Batch.objects.filter(delivery__in=made).values_list("pk", flat=True)))
    package(held, store)
    for login in BOTH:
        assert 200 in {status for status, _ in told_of(made, login, keys[login])}

    Batch.objects.filter(pk__in=list(held)).update(expires_at=NOW)
    Delivery.objects.filter(pk__in=[each.pk for each in made]).update(ends_at=NOW)
    never = [Delivery(receipt=f"{place}{each.receipt[1:]}") for place, each in enumerate(made)]
    for login, secret in keys.items():
        told = told_of(made, login, secret)
        assert {status for status, _ in told} <= {403, 404}  # No key of this sort opens the door of TAXII.
        absent = {body for _, body in told_of(never, login, secret)}
        assert {body for _, body in told} == absent, f"{login} can tell by an error"
    Package.objects.all().delete()  # That there was one is no secret: its number stays listed.
    for login, secret in keys.items():
        after = answers(login, secret)
        differing = [address for address, told in after.items() if told != before[login][address]]
        assert differing == [], f"{login} can tell"
