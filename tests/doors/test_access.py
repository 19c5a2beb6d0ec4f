"""Every page as each person: who is let in, who is told that there is nothing, who must sign in first."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from tests import people

pytestmark = pytest.mark.django_db

PAGES: dict[str, tuple[object, ...]] = {
    "home": (),
    "countries": (),
    "country": ("FR",),
    "settings": (),
    "help-formats": (),
    "preferences": (),
    "change-password": (),
}
"""Name → arguments of the address."""

STATUS: dict[str, dict[str, int]] = {
    #                   the stranger is sent to the sign-in everywhere, see below
    "dana_analyst": dict.fromkeys(PAGES, 200) | {"settings": 404},
    "rui_reviewer": dict.fromkeys(PAGES, 200) | {"settings": 404},
    "ada_administrator": dict.fromkeys(PAGES, 200) | {"countries": 404, "country": 404},
    "fleur_officer": dict.fromkeys(PAGES, 200) | {"settings": 404},
    "khalil_officer": dict.fromkeys(PAGES, 200) | {"settings": 404},
    "pia_partner": dict.fromkeys(PAGES, 200) | {"settings": 404},
}
OPEN_TO_ALL = {"sign-in", "sign-out", "set-language", "health"}
CASES = [(login, name, status) for login, table in STATUS.items() for name, status in table.items()]


@pytest.mark.parametrize(("login", "name", "status"), CASES)
def test_page_for_person(login: str, name: str, status: int, client: Client) -> None:
    client.force_login(people.call(login))
    assert client.get(reverse(name, args=PAGES[name])).status_code == status


@pytest.mark.parametrize("name", PAGES)
def test_strangers_are_asked_to_sign_in(name: str, client: Client) -> None:
    response = client.get(reverse(name, args=PAGES[name]))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("sign-in"))


def test_every_page_of_site_and_members_is_in_the_table() -> None:
    modules = ("tocsin.site.", "tocsin.centre.members.")
    named = {
        key
        for key, (_, _, _, _) in get_resolver().reverse_dict.items()
        if isinstance(key, str)
    }  # fmt: skip
    ours = {name for name in named if _module_of(name).startswith(modules)}
    assert ours - OPEN_TO_ALL == set(PAGES)


def _module_of(name: str) -> str:
    """Module of the view behind a name, found by resolving one of its addresses."""
    from django.urls import NoReverseMatch, resolve

    for arguments in ((), ("FR",), ("1",)):
        try:
            return str(resolve(reverse(name, args=arguments)).func.__module__)
        except NoReverseMatch:
            continue
    return ""


def test_absent_and_invisible_look_the_same(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    invisible, absent = client.get(reverse("settings")), client.get("/no-such-page/")
    assert invisible.status_code == absent.status_code == 404
    assert _without_tokens(invisible.content, b"/settings/") == _without_tokens(absent.content, b"/no-such-page/")


def _without_tokens(content: bytes, path: bytes) -> bytes:
    import re

    content = re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", content)
    return re.sub(rb'"X-CSRFToken": "\w+"', b"", content).replace(path, b"")


def test_suspended_organisations_lose_their_pages_at_once(client: Client) -> None:
    person = people.call("pia_partner")
    client.force_login(person)
    person.organisation.is_active = False
    person.organisation.save()
    assert client.get(reverse("home")).status_code == 302
