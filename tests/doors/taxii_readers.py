"""Programs of the cast that speak TAXII, and what there is for them to read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from tests import builders, people

from tocsin.centre.intake.models import Batch
from tocsin.core.words import Tlp
from tocsin.taxii.media_types import MEDIA_TYPE

DATES = ("X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last")
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
UUID_4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NOBODY = "indicator--99999999-9999-4999-8999-999999999999"


def sent(*numbers: int, tlp: Tlp = Tlp.AMBER, version: int = 1, **said: Any) -> Batch:
    """Indicators of northwind, released as far as their label goes."""
    delivery = builders.delivery(people.call("pia_partner").organisation)
    released_to = said.pop("released_to", ())
    batch = builders.batch(delivery, builders.handling(tlp, **said), released_to=released_to)
    builders.objects(batch, [builders.indicator(number, version) for number in numbers])
    return batch


def sent_objects(*bodies: dict[str, Any]) -> Batch:
    """Any objects of northwind, released."""
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(delivery, builders.handling(Tlp.AMBER), released_to=())
    builders.objects(batch, list(bodies))
    return batch


@dataclass
class Program:
    """A program with a key, at the root of its organisation."""

    client: Client
    secret: str
    slug: str
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = {"Authorization": f"Bearer {self.secret}", "Accept": MEDIA_TYPE, **self.headers}

    def at(self, path: str) -> str:
        """The address: below the own root where it does not begin with a slash."""
        return path if path.startswith("/") else f"/taxii2/{self.slug}/{path}"

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.client.get(self.at(path), query or {}, headers={**self.headers, **headers})

    def ask(self, method: str, path: str, **headers: str) -> Any:
        return self.client.generic(method, self.at(path), headers={**self.headers, **headers})

    def post(self, body: bytes | dict[str, Any], path: str = "collections/inbox/objects/", **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers.pop("Content-Type", MEDIA_TYPE)
        # Said in both ways: the test client leaves the type of an empty body out.
        said = {**self.headers, **headers}
        return self.client.post(self.at(path), content, content_type=kind, headers=said, CONTENT_TYPE=kind)

    def all(self, name: str = "released", query: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every object of a collection, page by page."""
        found: list[dict[str, Any]] = []
        asked = dict(query or {})
        while True:
            page = self.get(f"collections/{name}/objects/", asked).json()
            found += page.get("objects", [])
            if not page.get("more"):
                return found
            asked["next"] = page["next"]


def is_problem(response: Any, status: int) -> bool:
    """Whether it is the standard's error message with that status, in the standard's media type."""
    body = response.json()
    is_worded = isinstance(body.get("title"), str) and bool(body["title"])
    return bool(
        response.status_code == status
        and response["Content-Type"] == MEDIA_TYPE
        and is_worded
        and body["http_status"] == str(status)
    )
