"""What is read is counted by what and when, and by nothing that tells who."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.centre.alerts.shelf import Shelf, host_of
from tocsin.centre.subscribers import figures, reading
from tocsin.centre.subscribers.models import Embedded, Read
from tocsin.products.alerts import addresses

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "METHOD-2026-0042"


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (addresses.page(NUMBER, "ar"), (NUMBER, "page", "ar")),
        (addresses.permanent(NUMBER), (NUMBER, "page", "")),
        (addresses.old_page(NUMBER, "fr", 2), (NUMBER, "page", "fr")),
        (addresses.cap(NUMBER), (NUMBER, "cap", "")),
        (addresses.cap(NUMBER, 3), (NUMBER, "cap", "")),
        (addresses.stix(NUMBER), (NUMBER, "stix", "")),
        (addresses.document(NUMBER, "es"), (NUMBER, "pdf", "es")),
        (addresses.card(NUMBER, "en", "png"), (NUMBER, "card", "en")),
        (addresses.plain(NUMBER, "en"), (NUMBER, "text", "en")),
        (addresses.short(NUMBER, "en"), (NUMBER, "text", "en")),
        (addresses.linked_data(NUMBER, "pt-BR"), (NUMBER, "linked-data", "pt-BR")),
        (addresses.kit(NUMBER), (NUMBER, "kit", "")),
        (addresses.atom(), ("", "feed", "")),
        (addresses.rss("ar"), ("", "feed", "ar")),
        (addresses.archive(3, "en"), ("", "feed", "en")),
        (addresses.widget("en"), ("", "widget", "en")),
        (addresses.widget("fr", "json"), ("", "widget", "fr")),
        (addresses.home("en"), ("", "home", "en")),
        (addresses.asset("site.css"), None),
        (f"{addresses.cap(NUMBER)}.sig", None),
        ("../etc/passwd", None),
    ],
)
def test_which_output_an_address_is(path: str, known: tuple[str, str, str] | None) -> None:
    assert reading.what(path) == known


@pytest.mark.django_db
def test_counts_of_several_processes_add_up_and_small_ones_are_not_shown() -> None:
    page = addresses.page(NUMBER, "en")
    for _ in range(3):
        reading.settle({page: 40, addresses.cap(NUMBER): 2, addresses.asset("site.css"): 900}, {}, NOW)
    reading.settle({page: 4}, {}, NOW - timedelta(days=1))
    found = figures.reach_of(NUMBER, NOW.date())
    assert found.total == 130
    assert found.by_output == [("page", 120), ("cap", None)], "the sum tells nothing of the other"
    assert found.by_language == [("en", 120)]
    assert found.by_day[-2:] == [(NOW.date() - timedelta(days=1), 0), (NOW.date(), 120)]
    reading.forget_old(NOW + timedelta(days=900))
    assert not Read.objects.exists()


@pytest.mark.django_db
def test_a_host_is_named_once_it_shows_the_widget_often() -> None:
    shelf = Shelf()
    for _ in range(12):
        shelf.count(addresses.widget("en"), "https://ministry.example/alerts?who=me")
        shelf.count(addresses.page(NUMBER, "en"), "https://diary.example/")
    shelf.count(addresses.widget("en"), "https://diary.example/of/somebody")
    reading.settle(shelf.take_counts(), shelf.take_hosts(), NOW)
    assert not Embedded.objects.exists()
    reading.settle({}, {"ministry.example": 12, "diary.example": 1}, NOW)
    assert list(Embedded.objects.values_list("host", "count")) == [("ministry.example", 24)]
    assert figures.embedders(NOW.date()) == [("ministry.example", 24)]
    assert not shelf.take_counts()


@pytest.mark.parametrize(("said", "host"), [("", ""), ("https://a.example:8443/x?y", "a.example"), ("http://[", "")])
def test_of_a_referrer_the_host_alone_is_taken(said: str, host: str) -> None:
    assert host_of(said) == host
