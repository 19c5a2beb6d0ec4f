"""Lists that grow with the days are read from where the last page ended: nothing twice, nothing left out."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from tests import builders, people, scene

from tocsin.centre.release.models import Package
from tocsin.centre.retention.models import Purge

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
NEXT = re.compile(r'<a [^>]*href="\?([^"]*)" rel="next"|<a [^>]*rel="next" href="\?([^"]*)"')


def read(client: Client, address: str, pattern: str, between: Callable[[], object]) -> list[str]:
    """What fits on all pages, in their order; something comes after each."""
    found: list[str] = []
    query = ""
    while True:
        text = client.get(f"{address}?{query}").content.decode()
        found += dict.fromkeys(re.findall(pattern, text))
        between()
        following = NEXT.search(text)
        if following is None:
            return found
        query = (following[1] or following[2]).replace("&amp;", "&")


def test_packages_while_new_ones_come(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    known = [scene._package("FR", number).number for number in range(1, 61)]
    found = read(client, "/packages/", r"FR-2026-\d+", lambda: scene._package("FR", 61 + Package.objects.count()))
    assert found == known[::-1]
    assert len(read(client, "/packages/", r"FR-2026-\d+", lambda: None)) == Package.objects.count()


def test_purges_while_new_ones_come(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    source = builders.organisation("northwind")
    known = [scene._purge(source, number).number for number in range(1, 32)]
    found = read(client, "/purges/", r"PU-2026-\d+", lambda: scene._purge(source, 32 + Purge.objects.count()))
    assert found == known[::-1]


def test_a_cursor_that_is_not_ours_begins_anew(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    scene._package("FR", 1)
    for said in ("x", "%00", "9" * 40, "gAAAAAB"):
        answer = client.get(f"/packages/?after={said}")
        assert answer.status_code == (400 if said == "%00" else 200)
        assert said == "%00" or b"FR-2026-0001" in answer.content
