"""Programs go a short way to their doors: they get there what they would get on the long one."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client, override_settings
from tests import builders, scene

from tocsin.taxii.media_types import MEDIA_TYPE

from .conftest import GiveKey
from .test_absent import VOLATILE
from .test_absent_everywhere import MARK
from .test_machine_doors import _address, _doors

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ACCEPTS = f"{MEDIA_TYPE}, */*"
DIFFERS = {"Vary"}
"""The long way looks at cookies, and says so."""


def _both(address: str, method: str, **said: str) -> list[tuple[int, dict[str, str], bytes]]:
    found = []
    for cookie in ({}, {"Cookie": "tocsin_theme=dark"}):
        cache.clear()
        client = Client(headers={"Accept": ACCEPTS, **said})
        if cookie:
            client.cookies["theme"] = "dark"
        made = client.get(address) if method == "GET" else client.generic(method, address, b"{}", MEDIA_TYPE)
        headers = {name: MARK.sub("", value) for name, value in made.headers.items() if name not in DIFFERS}
        found.append((made.status_code, headers, VOLATILE.sub(b"", made.getvalue())))
    return found


@pytest.mark.parametrize("login", ["fleur_officer", "pia_partner", "nobody"])
def test_both_ways_lead_to_the_same(login: str, give_key: GiveKey) -> None:
    shown = scene.make()
    builders.objects(shown.delivery.batches.get(), [builders.indicator(2)])
    word = "Bearer toc_wrong" if login == "nobody" else f"Bearer {give_key(login)}"
    seen = set()
    for method, path in [*_doors(), ("GET", "/taxii2/x"), ("GET", "/api/v1/nothing"), ("GET", "/api/v1/feeds/")]:
        if method != "GET":
            continue  # What changes something changes what the second of two is told.
        address = _address(path, shown, "northwind")
        for language in ("en", "ar;q=0.9, fr"):
            short, long = _both(address, method, Authorization=word, **{"Accept-Language": language})
            assert short == long, address
            seen.add(short[0])
    assert seen >= ({401} if login == "nobody" else {200, 404})


@override_settings(ALLOWED_HOSTS=["ours.example"])
def test_another_host_is_refused_on_both(give_key: GiveKey) -> None:
    short, long = _both("/taxii2/", "GET", Authorization=f"Bearer {give_key('fleur_officer')}", Host="other.example")
    assert short == long
    assert short[0] == 400
