"""Deliveries that were really read, and the bureaus that had them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from tests import builders, people
from tests.crew import work

from tocsin.centre.analysis.lookups import answer
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of

MOMENT = "2026-11-01T00:00:00.000Z"
CODES = ("FR", "JO", "BR", "KE", "JP", "SN", "PE", "CA", "IN", "DE", "EG", "AU")


@pytest.fixture
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store and a journal of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    return tmp_path


@pytest.fixture
def officers(own_store: Path) -> list[Person]:
    """Officers of twelve bureaus; the first, NCB-XB of the example, authorised a unit of its own."""
    found = [builders.person(f"officer_{code.lower()}", builders.bureau(code), "officer") for code in CODES]
    builders.organisation("nu-xb1", class_name="law-enforcement", country="FR", parent=found[0].organisation)
    return found


def indicator(number: int, address: str, modified: str = MOMENT, **said: object) -> dict[str, object]:
    """An indicator of one address."""
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012x}",
        "created": MOMENT, "modified": modified, "valid_from": MOMENT, "pattern_type": "stix",
        "pattern": f"[ipv4-addr:value = '{address}']", "name": f"Server {number}", **said,
    }  # fmt: skip


def bundle(*objects: dict[str, object]) -> bytes:
    return json.dumps(
        {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-00000000b0b0", "objects": objects}
    ).encode()


def handed_over(content: bytes, name: str, released: bool = True, marking: str = "TLP:AMBER") -> Delivery:
    """What northwind sends, read, and released as far as its label lets it go."""
    pia = people.call("pia_partner")
    delivery = intake.receive(
        organisation=pia.organisation, via="api", name=name, chunks=[content],
        at=datetime.now(UTC) - timedelta(hours=1),
        person=pia, marking=marking,
    )  # fmt: skip
    work()
    delivery.refresh_from_db()
    assert delivery.state == "parsed", (delivery.state, delivery.reason)
    if released:
        set_audience(Batch.objects.filter(delivery=delivery), BY_LABEL)
    return delivery


def known_of(value: str, person: Person) -> tuple[int, int]:
    """Rows and objects that a look-up shows this person."""
    found = answer(value, viewer_of(person))
    return found.found.total, len(found.objects)
