"""How much one may ask for (OWASP ASVS 2.4.1): pages, API and TAXII say when to come again, and others go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import people

from tocsin.centre.members import limits
from tocsin.centre.members.limits import Kind, TooOften, spend
from tocsin.centre.members.models import Guesses
from tocsin.core.errors import InputError
from tocsin.site import installation
from tocsin.taxii.envelopes import LIMIT_BYTES
from tocsin.transport.archives import Limits

from .conftest import GiveKey

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
AT = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
NOTHING = dict.fromkeys(installation.LIMITS, 0)


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests asked for was asked of other people."""
    monkeypatch.setattr(limits, "_counts", {})


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def only(**said: int) -> None:
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, limits=NOTHING | said))

    return only


def test_all_processes_share_a_limit_and_the_next_window_begins_anew(
    limit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(person_lookups=4)
    dana, rui = people.call("dana_analyst"), people.call("rui_reviewer")
    spend(dana, Kind.LOOKUPS, AT, cost=2)
    monkeypatch.setattr(limits, "_counts", {})  # Another process.
    spend(dana, Kind.LOOKUPS, AT, cost=2)
    with pytest.raises(TooOften) as told:
        spend(dana, Kind.LOOKUPS, AT)
    assert (told.value.seconds, told.value.minutes) == (600, 10)
    spend(rui, Kind.LOOKUPS, AT, cost=4)
    spend(dana, Kind.DOWNLOADS, AT)
    spend(dana, Kind.LOOKUPS, AT + timedelta(minutes=10), cost=4)
    assert Guesses.objects.count() == 1, "the window before is forgotten"


def test_what_does_not_fit_whole_is_not_begun(limit: Callable[..., None]) -> None:
    limit(person_lookups=4)
    dana = people.call("dana_analyst")
    with pytest.raises(TooOften):
        spend(dana, Kind.LOOKUPS, AT, cost=5)
    spend(dana, Kind.LOOKUPS, AT, cost=4)


def test_a_process_that_hears_of_others_late_passes_a_limit_by_a_twentieth(
    limit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(person_lookups=100)
    dana = people.call("dana_analyst")
    spend(dana, Kind.LOOKUPS, AT, cost=100)
    monkeypatch.setattr(limits, "_counts", {})
    for _ in range(100 // limits.SETTLED_PARTS - 1):
        spend(dana, Kind.LOOKUPS, AT)
    with pytest.raises(TooOften):
        spend(dana, Kind.LOOKUPS, AT)


def test_a_page_costs_no_query(
    limit: Callable[..., None], django_assert_num_queries: Callable[[int], AbstractContextManager[None]]
) -> None:
    limit(person_requests=9_000)
    dana = people.call("dana_analyst")
    with django_assert_num_queries(0):
        for _ in range(449):
            spend(dana, Kind.REQUESTS, AT)


@pytest.mark.parametrize(("language", "word"), [("en", "in a short time"), ("ar", 'dir="rtl"')])
def test_a_person_hears_when_to_come_again(
    language: str, word: str, limit: Callable[..., None], client: Client
) -> None:
    limit(person_lookups=1)
    people.let_in(client, "dana_analyst", language)
    assert client.get(reverse("lookup"), {"q": "192.0.2.1"}).status_code == 200
    refused = client.get(reverse("lookup"), {"q": "192.0.2.1"})
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    assert word in refused.content.decode()
    assert client.get(reverse("lookup")).status_code == 200, "other pages stay open"


def test_every_page_counts(limit: Callable[..., None], client: Client) -> None:
    limit(person_requests=2)
    people.let_in(client, "dana_analyst")
    assert [client.get(reverse("preferences")).status_code for _ in range(3)] == [200, 200, 429]
    assert client.post(reverse("sign-out")).status_code == 302, "whoever has enough may always go"


def test_programs_hear_it_too_and_a_key_is_not_its_owner(
    limit: Callable[..., None], give_key: GiveKey, client: Client
) -> None:
    limit(key_lookups=2, key_requests=3, person_lookups=1)
    secret = give_key("dana_analyst")
    program = Client(headers={"Authorization": f"Bearer {secret}", "Accept": "application/taxii+json;version=2.1"})
    many = program.post("/api/v1/lookups", {"values": ["192.0.2.1"] * 3}, content_type="application/json")
    assert many.status_code == 429
    assert many.json()["reason"] == "too-often"
    assert 0 < int(many["Retry-After"]) <= 900
    assert program.get("/api/v1/lookup", {"q": "192.0.2.1"}).status_code == 200
    assert program.get("/taxii2/").status_code == 200
    late = program.get("/taxii2/")
    assert (late.status_code, late.json()["http_status"]) == (429, "429")
    assert 0 < int(late["Retry-After"]) <= 900
    people.let_in(client, "dana_analyst")
    assert client.get(reverse("lookup"), {"q": "192.0.2.1"}).status_code == 200


@pytest.mark.parametrize(
    "said", ["person_lookup = 3", "key_lookups = -1", 'key_lookups = "many"', "key_lookups = true"]
)
def test_a_misspelt_limit_is_not_quietly_none(said: str, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(f"[limits]\n{said}\n")
    with pytest.raises(InputError):
        installation.load(tmp_path)


def test_the_guide_says_what_holds() -> None:
    """2.1.3, 5.1.1, 15.1.3: every limit with its default, and how far an archive may expand."""
    text = (Path(__file__).parents[2] / "docs" / "guides" / "operator" / "limits.md").read_text(encoding="utf-8")
    for kind in (Kind.LOOKUPS, Kind.DOWNLOADS, Kind.REQUESTS):
        person, key = (installation.LIMITS[f"{who}_{kind}"] for who in ("person", "key"))
        assert f"| {person:,} | {key:,} | `person_{kind}`, `key_{kind}` |" in text
    for name, number in installation.LIMITS.items():
        if name.startswith(("organisation_", "machine_")):
            assert f"| {number:,} | `{name}` |" in text
    bounds = Limits()
    for said in (
        f"{bounds.expanded_bytes >> 30} GiB", f"{bounds.expansion_ratio:,} times", f"{bounds.members:,}",
        f"{bounds.ratio_from_bytes >> 20} MiB", f"| {bounds.depth} |", f"| {LIMIT_BYTES >> 20} MiB,",
    ):  # fmt: skip
        assert said in text


def test_limits_of_the_file_change_the_others_not(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text("[limits]\nkey_lookups = 0\n")
    assert installation.load(tmp_path).limits == {**installation.LIMITS, "key_lookups": 0}
