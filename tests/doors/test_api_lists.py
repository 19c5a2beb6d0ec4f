"""Lists of the API page by page: each row once whoever writes meanwhile, and a cursor that opens one list alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests import builders, scene
from tests.doors.conftest import GiveKey
from tests.doors.test_long_lists import multiply

from tocsin.api.urls import api
from tocsin.centre.circulars.models import Circular
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall.models import Recall
from tocsin.centre.release.models import Package

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ROWS = 9
NEXT = re.compile(r'<(/api/v1/[^>]+)>; rel="next"')
Reader = Callable[[str], Any]


@pytest.fixture
def scenery() -> scene.Scene:
    """Many of all that is listed, some of it equal in what it is sorted by."""
    made = scene.make()
    delivery, sent = made.delivery, scene.circular()
    waits = builders.delivery(builders.organisation("northwind"), "waits.csv")
    near = f"{waits.pk}0000 + n"
    multiply(waits, ROWS, id=near, receipt="'r' || n", sha256="'s' || n")
    multiply(made.recall, ROWS, number="'RC-' || n", delivery_id=near)
    multiply(made.recall.notices.get(organisation__slug="ncb-fr"), ROWS, recall_id=f"{made.recall.pk} + 1000 + n")
    multiply(scene.permission(delivery), ROWS, number="'P-' || n", delivery_id=near, state="'refused'")
    part = sent.delivery.batches.get()
    own = {"receipt": "'c' || n", "sha256": "'c' || n"}
    multiply(sent.delivery, ROWS, id=f"{sent.delivery.pk}0000 + n", **own)
    multiply(part, ROWS, id=f"{part.pk}0000 + n", delivery_id=f"{sent.delivery.pk}0000 + n")
    multiply(sent, ROWS, number="'C-' || n", delivery_id=f"{sent.delivery.pk}0000 + n")
    multiply(Package.objects.filter(country="FR").first() or pytest.fail("no package"), ROWS, number="'P-FR-' || n")
    return made


def whole(client: Client, key: str, address: str, limit: int, between: Callable[[], None] = lambda: None) -> list[Any]:
    """The answers of all pages."""
    found, following = [], f"{address}{'&' if '?' in address else '?'}limit={limit}"
    while following:
        answer = client.get(following, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.content
        found.append(answer.json())
        link = NEXT.fullmatch(answer.get("Link", ""))
        following = link[1] if link else ""
        assert f"limit={limit}" in following or not following
        between()
    return found


LISTS: dict[str, tuple[str, list[str], str, tuple[str, ...], int]] = {
    "recalls that one was told of": ("fleur_officer", ["read"], "/api/v1/recalls", ("told",), ROWS + 1),
    "one's own recalls": ("pia_partner", ["read"], "/api/v1/recalls", ("made",), ROWS + 1),
    "permissions that one was asked for": ("pia_partner", ["answer"], "/api/v1/permissions", ("of_me",), ROWS),
    "permissions of a state": (
        "pia_partner", ["answer"], "/api/v1/permissions?state=refused", ("of_me",), ROWS,
    ),
    "circulars that came": ("fleur_officer", ["read"], "/api/v1/circulars", (), ROWS + 1),
    "packages": ("fleur_officer", ["packages"], "/api/v1/countries/FR/packages", (), ROWS + 1),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_each_row_stands_on_one_page(name: str, client: Client, give_key: GiveKey, scenery: scene.Scene) -> None:
    login, scopes, address, keys, count = LISTS[name]
    key = give_key(login, scopes)

    def rows(answers: list[Any]) -> list[str]:
        return [each["number"] for one in answers for each in (one[keys[0]] if keys else one)]

    [all_of_it] = whole(client, key, address, 500)
    expected = rows([all_of_it])
    assert len(expected) == len(set(expected)) >= count
    pages = whole(client, key, address, 4)
    assert (len(pages), rows(pages)) == ((len(expected) + 3) // 4, expected)
    base = address.partition("?")[0]
    for wrong in ("cursor=x", "cursor=~", "cursor=~~", "limit=0", "limit=501", "cursor=" + "a" * 5_000):
        answer = client.get(f"{base}?{wrong}", headers={"Authorization": f"Bearer {key}"})
        both = wrong == "cursor=~" and "packages" not in name  # Both lists are at their end.
        assert answer.status_code == (200 if both else 422), wrong


def test_what_comes_meanwhile_moves_nothing(client: Client, give_key: GiveKey, scenery: scene.Scene) -> None:
    key, made = give_key("pia_partner", ["read"]), iter(range(100, 200))

    def again() -> None:
        number = next(made)
        multiply(scenery.recall, 1, id=f"{scenery.recall.pk} + {5_000 + number}", number=f"'RC-{number}'")

    before = [each["number"] for each in whole(client, key, "/api/v1/recalls", 500)[0]["made"]]
    read = [each["number"] for page in whole(client, key, "/api/v1/recalls", 3, again) for each in page["made"]]
    assert read == before
    assert Recall.objects.count() > len(before)


def test_a_cursor_opens_its_own_list_alone(client: Client, give_key: GiveKey, scenery: scene.Scene) -> None:
    key = give_key("fleur_officer", ["read"])
    first = client.get("/api/v1/circulars?limit=2", headers={"Authorization": f"Bearer {key}"})
    cursor = first["Link"].partition("cursor=")[2].partition(">")[0]
    assert (
        client.get(f"/api/v1/circulars?cursor={cursor}", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    )
    assert client.get(f"/api/v1/recalls?cursor={cursor}", headers={"Authorization": f"Bearer {key}"}).status_code == 422
    stranger = give_key("khalil_officer", ["read"])
    shown = client.get(f"/api/v1/circulars?cursor={cursor}", headers={"Authorization": f"Bearer {stranger}"}).json()
    own = whole(client, stranger, "/api/v1/circulars", 500)[0]
    assert {each["number"] for each in shown} <= {each["number"] for each in own}
    assert Circular.objects.exists()
    assert Permission.objects.exists()


def test_pages_are_described() -> None:
    schema = api.get_openapi_schema()["paths"]
    for path in ("/api/v1/recalls", "/api/v1/permissions", "/api/v1/circulars", "/api/v1/countries/{code}/packages",
                 "/api/v1/received"):  # fmt: skip
        said = schema[path]["get"]
        assert {"cursor", "limit"} <= {each["name"] for each in said["parameters"]}, path
        assert "Link" in said["responses"][200]["headers"], path
