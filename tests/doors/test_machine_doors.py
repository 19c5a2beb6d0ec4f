"""Every address for programs as each kind of program: machine_table.txt is the whole expectation.

A program acts for a person with the scopes of its key. What it is asked to write comes empty, and is told so (422)
before its roles are asked: that they are, the tests of each topic show.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache as answers
from django.db import transaction
from django.test import Client
from django.urls import URLPattern
from tests import builders, people, scene
from tests.doors.conftest import GiveKey

from tocsin.api.urls import api
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.rules import SCOPES
from tocsin.centre.numbers import RowConverter
from tocsin.taxii import urls as taxii_urls
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]

TABLE = Path(__file__).with_name("machine_table.txt")
KINDS: dict[str, tuple[str, tuple[str, ...]] | None] = {
    "nobody": None,
    "pia-hands-over": ("pia_partner", ("deliver", "taxii")),
    **{
        login.partition("_")[0]: (login, tuple(SCOPES))
        for login in (
            "pia_partner", "omar_partner", "elio_expired", "fleur_officer", "una_unit", "sora_suspended",
            "dana_analyst", "sven_secondee", "dora_dissemination", "ada_administrator", "aida_auditor",
        )
    },
}  # fmt: skip
"""Kind → whose key, with which scopes: all that there are, unless something else is said."""


@cache
def _described() -> dict[str, Any]:
    return dict(api.get_openapi_schema(path_prefix="/api/v1/"))


@cache
def _doors() -> list[tuple[str, str]]:
    """Method and path of every address."""
    paths = _described()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    for each in taxii_urls.urlpatterns:
        if isinstance(each, URLPattern) and not str(each.name).endswith("-nothing"):
            path = re.sub(r"<\w+:(\w+)>", r"{\1}", f"/taxii2/{each.pattern}")
            found += [("GET", path)] if "{name}" not in path else [
                ("GET", path.replace("{name}", name))
                for name in (("alerts",) if "public" in path else ("released", "recalls", "alerts", "inbox"))
            ]  # fmt: skip
    return [*found, ("POST", "/taxii2/{slug}/collections/inbox/objects/")]


def _address(path: str, shown: scene.Scene, slug: str) -> str:
    numbers = {"/packages": shown.package.number, "/circulars": "C-2026-ABCDEF", "/recalls": shown.recall.number,
               "/permissions": "P-2026-ABCDEF"}  # fmt: skip
    return path.format(
        receipt=shown.delivery.receipt, reference=shown.delivery.receipt, code="FR", slug=slug,
        key=RowConverter().to_url(shown.thing.pk), object_id=builders.indicator(2)["id"],
        alert="METHOD-2026-0042", form="csv", proposal="AP-2026-ABCDEF",
        number=next((number for part, number in numbers.items() if part in path), ""),
    )  # fmt: skip


def _cell(status: int) -> str:
    """+ is let in, whatever it says of an empty body; else how it is turned away."""
    return str(status) if status in {401, 403, 404} else "+"


def _answers(kind: str, shown: scene.Scene, give_key: GiveKey) -> dict[str, str]:
    """What this kind of program gets everywhere; afterwards all is as it was."""
    held, headers, slug = KINDS[kind], {"Accept": f"{MEDIA_TYPE}, */*"}, "northwind"
    with transaction.atomic():
        if held is not None:
            headers["Authorization"] = f"Bearer {give_key(held[0], held[1])}"
            slug = people.call(held[0]).organisation.slug
        client, got = Client(headers=headers), {}
        for method, path in _doors():
            answers.clear()
            with transaction.atomic():
                address = _address(path, shown, slug)
                asked = {"q": "192.0.2.7"} if method == "GET" and path.endswith("/lookup") else None
                answer = client.get(address, asked) if method == "GET" else client.post(
                    address, b"{}", content_type=MEDIA_TYPE if "/taxii2/" in path else "application/json"
                )  # fmt: skip
                got[f"{method} {path}"] = _cell(answer.status_code)
                transaction.set_rollback(True)
        transaction.set_rollback(True)
    return got


def test_what_each_kind_of_program_may_open(give_key: GiveKey) -> None:
    lines = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    assert lines[0][2:] == list(KINDS)
    wanted = {f"{words[0]} {words[1]}": dict(zip(KINDS, words[2:], strict=True)) for words in lines[1:]}
    assert set(wanted) == {f"{method} {path}" for method, path in _doors()}, "an address without a row, or the reverse"
    shown = scene.make()
    scene.circular()
    builders.objects(shown.delivery.batches.get(), [builders.indicator(2)])
    got = {kind: _answers(kind, shown, give_key) for kind in KINDS}
    differs = [
        f"{door} as {kind}: {got[kind][door]} instead of {cell}"
        for door, cells in wanted.items()
        for kind, cell in cells.items()
        if got[kind][door] != cell
    ]
    assert not differs, "\n".join(differs)
    assert Object.objects.filter(object_id=builders.indicator(2)["id"]).exists()
