"""Lists that grow with the years: a page costs what it shows, however many rows there are and how far down it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from tests import builders, people, scene

from tocsin.centre import pages
from tocsin.centre.analysis import reviewing
from tocsin.centre.analysis.models import CountryConflict
from tocsin.centre.circulars import selectors as circulars
from tocsin.centre.circulars.models import Circular
from tocsin.centre.intake.deliveries import LAST_RECEIVED
from tocsin.centre.intake.models import Batch, Delivery, Origin
from tocsin.centre.intake.register import register
from tocsin.centre.pages import NEWEST_FIRST, Part
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall.models import Notice, Recall
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release import desk
from tocsin.centre.retention import legal_holds
from tocsin.centre.retention import reviewing as terms
from tocsin.centre.retention.models import LegalHold
from tocsin.centre.rights import services as rights
from tocsin.centre.rights.models import SubjectRequest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ROWS = 8_000
"""Held with 100,000 as well; these suffice to tell a page from a table."""
SORTED_AT_MOST = 200
READ_AT_MOST = 8_000
STEPS_AT_MOST = 100_000
"""Of SQLite's machine: of a row that is gone past, five to ten; of one that is gathered and sorted, fifty and more."""


def _moment(minutes: str, since: str = "2026-01-01") -> str:
    if connection.vendor == "postgresql":
        return f"timestamptz '{since} 00:00+00' + ({minutes}) * interval '1 minute'"
    return f"datetime('{since}', '+' || ({minutes}) || ' minutes')"


def multiply(row: Model, count: int, **said: str) -> None:
    """The row so many times more, in SQL; what is said of a column may speak of `n`."""
    columns = [field.column for field in row._meta.concrete_fields]
    said = {"id": f"{row.pk} + 1000 + n", **said}
    quoted = connection.ops.quote_name
    values = ", ".join(said.get(column, quoted(column)) for column in columns)
    table = quoted(row._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
            f" INSERT INTO {table} ({', '.join(map(quoted, columns))}) SELECT {values} FROM {table}, s"
            f" WHERE id = {row.pk}"
        )


def _world() -> None:
    """Everything that has a list, many times; what is sorted by has many equals."""
    made = scene.make()
    first, part = made.delivery, made.delivery.batches.get()
    sent = scene.circular()
    soon = timezone.now() + timedelta(days=9)
    waits = builders.delivery(builders.organisation("northwind"), "waits.csv")
    unreleased = builders.batch(waits, builders.handling(), released_to=None, expires_at=soon)
    moved = {"received_at": _moment("n / 10")}
    for one, its in ((waits, unreleased), (sent.delivery, sent.delivery.batches.get())):
        base = str(one.pk * 10_000_000)
        own = {"id": f"{base} + n", "receipt": f"'r' || ({base} + n)", "sha256": f"'s' || ({base} + n)"}
        multiply(one, ROWS, **own, **moved)
        ends = {"expires_at": _moment(f"1440 * (1 + 150 * n / {ROWS})", f"{timezone.now():%Y-%m-%d}")}
        multiply(its, ROWS, id=f"{base}0 + n", delivery_id=f"{base} + n", **moved, **ends)
    near, parts = f"{waits.pk}0000000 + n", f"{waits.pk}00000000 + n"
    half = f"n % 2 = 0 THEN {_moment('n / 10')} END"
    multiply(sent, ROWS, number="'C-' || n", delivery_id=f"{sent.delivery.pk}0000000 + n", sent_at=_moment("n / 10"))
    multiply(made.recall, ROWS, number="'RC-' || n", delivery_id=near, asked_at=_moment("n / 10"))
    multiply(made.recall.notices.first(), ROWS, recall_id=f"{made.recall.pk} + 1000 + n", informed_at=_moment("n / 10"))
    multiply(
        scene.permission(first),
        ROWS,
        number="'P-' || n",
        delivery_id=near,
        state="CASE WHEN n % 100 = 0 THEN 'asked' ELSE 'refused' END",
    )
    multiply(made.legal_hold, ROWS, delivery_id=near, placed_at=_moment("n / 10"), lifted_at=f"CASE WHEN {half}")
    multiply(
        scene.subject_request(),
        ROWS,
        number="'S-' || n",
        received_at=_moment("n / 10"),
        answered_at=f"CASE WHEN {half}",
    )
    redacted = scene.redaction(first)
    multiply(redacted, ROWS, delivery_id=near)
    multiply(Origin.objects.get(delivery=redacted.delivery), ROWS, delivery_id=near, batch_id=str(part.pk))
    state = "CASE WHEN n % 2 = 0 THEN 'decided' ELSE 'open' END"
    multiply(made.conflict, ROWS, batch_id=parts, state=state, decided_at=f"CASE WHEN {half}", rows="1 + n % 3")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


LISTS: dict[str, tuple[str, str, tuple[Part, ...], int, Callable[[], Any]]] = {
    "desk": ("dora_dissemination", "/release/", desk.LAST_FIRST, 1, lambda: _middle(_waiting())),
    "desk, oldest": ("dora_dissemination", "/release/?order=oldest", desk.OLDEST_FIRST, 1, lambda: _middle(_waiting())),
    "recalls": ("dana_analyst", "/recalls/", NEWEST_FIRST, 0, lambda: _middle(Recall.objects)),
    "recalls of a source": (
        "pia_partner",
        "/recalls/",
        NEWEST_FIRST,
        0,
        lambda: _middle(Recall.objects.filter(source__slug="northwind")),
    ),
    "told": ("fleur_officer", "/recalls/?told=", NEWEST_FIRST, 0, lambda: _middle(Notice.objects)),
    "permissions": ("dana_analyst", "/permissions/", NEWEST_FIRST, 0, lambda: _middle(Permission.objects)),
    "of a state": (
        "dana_analyst",
        "/permissions/?state=refused",
        NEWEST_FIRST,
        0,
        lambda: _middle(Permission.objects.filter(state="refused")),
    ),
    "of a bureau": ("hugo_head", "/permissions/", NEWEST_FIRST, 0, lambda: _middle(Permission.objects)),
    "asked": ("mona_manager", "/permissions/asked-of-you/", NEWEST_FIRST, 0, lambda: _middle(Permission.objects)),
    "terms": (
        "dana_analyst",
        "/terms/?days=90",
        terms.FIRST_TO_END,
        0,
        lambda: _middle(Batch.objects.filter(delivery__in=_waiting())),
    ),
    "holds": (
        "lena_legal",
        "/legal-holds/",
        legal_holds.IN_FORCE_FIRST,
        0,
        lambda: _middle(LegalHold.objects.filter(lifted_at=None)),
    ),
    "holds, lifted": (
        "lena_legal",
        "/legal-holds/",
        legal_holds.IN_FORCE_FIRST,
        1,
        lambda: _middle(LegalHold.objects.exclude(lifted_at=None)),
    ),
    "requests": (
        "cora_commission",
        "/commission/",
        rights.ORDER,
        0,
        lambda: _middle(SubjectRequest.objects.filter(answered_at=None)),
    ),
    "requests, answered": (
        "cora_commission",
        "/commission/",
        rights.ORDER,
        1,
        lambda: _middle(SubjectRequest.objects.exclude(answered_at=None)),
    ),
    "redactions": ("dana_analyst", "/redactions/", NEWEST_FIRST, 0, lambda: _middle(Redaction.objects)),
    "decided": (
        "rui_reviewer",
        "/review/countries/decided/",
        reviewing.DECIDED_LAST,
        0,
        lambda: _middle(CountryConflict.objects.exclude(decided_at=None)),
    ),
    "circulars": ("fleur_officer", "/circulars/", circulars.LAST_SENT, 0, lambda: _middle(Circular.objects)),
    "deliveries": ("dana_analyst", "/deliveries/", LAST_RECEIVED, 0, lambda: _middle(_waiting())),
}
"""Name → who reads, where, how it is sorted, a row in the middle and its part."""


def _waiting() -> QuerySet[Delivery]:
    return Delivery.objects.filter(organisation__slug="northwind", pk__gt=10_000_000)


def _middle(rows: Any) -> Any:
    return rows.order_by("pk")[rows.count() // 2]


@contextmanager
def measured() -> Iterator[dict[str, int]]:
    """How much the database does: on SQLite in steps of its machine, on PostgreSQL in rows read and rows sorted."""
    found = {"steps": 0, "read": 0, "sorted": 0}
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT") and not many:
            asked.append((sql, params))
        return execute(sql, params, many, context)

    def step() -> None:
        found["steps"] += 100

    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(step, 100)
        try:
            yield found
        finally:
            connection.connection.set_progress_handler(None, 0)
        return
    with connection.execute_wrapper(note):
        yield found
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
            (plan,) = cursor.fetchone()
            _add_up((orjson.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], found)


def _add_up(node: dict[str, Any], found: dict[str, int]) -> None:
    inner = node.get("Plans", [])
    if "Relation Name" in node or "Index Name" in node:
        gone = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        found["read"] += round((node["Actual Rows"] + gone) * node["Actual Loops"])
    if node["Node Type"] == "Sort":
        found["sorted"] += round(inner[0]["Actual Rows"] * inner[0]["Actual Loops"])
    for each in inner:
        _add_up(each, found)


def test_a_page_costs_what_it_shows() -> None:
    _world()
    register()  # Each process reads what changed once.
    asked: dict[str, dict[str, int]] = {}
    for name, (login, address, parts, part, middle) in LISTS.items():
        client = Client()
        people.let_in(client, login)
        cursor = pages.cursor_of(parts, part, middle())
        key = "told" if name == "told" else "after"
        base = address.removesuffix("told=").removesuffix("?")
        for place, said in (("first", {}), ("deep", {key: cursor})):
            with measured() as cost:
                answer = client.get(base, query_params=QueryDict(base.partition("?")[2]).dict() | said)
            assert answer.status_code == 200, name
            assert b'rel="next"' in answer.content, name
            assert (b'rel="prev"' in answer.content) is bool(said), name
            asked[f"{name}, {place}"] = cost
    assert {name: cost for name, cost in asked.items() if any(cost[what] > _most(name, what) for what in cost)} == {}


def _most(name: str, what: str) -> int:
    """What a page may cost. Who handed over in private has no index: there the table is gone through, not sorted."""
    through = {"deliveries, first": 1, "deliveries, deep": 1}
    gone_through = through.get(name, 0) * ROWS
    most = {"steps": STEPS_AT_MOST + 10 * gone_through, "read": READ_AT_MOST + gone_through, "sorted": SORTED_AT_MOST}
    return most[what]


@pytest.mark.parametrize("is_oldest", [False, True])
def test_the_desk_shows_the_same_whether_few_or_many_wait(is_oldest: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    northwind, person = builders.organisation("northwind"), people.call("dora_dissemination")
    for place in range(7):
        at = builders.NOW + timedelta(hours=place % 4)
        urgent = {"urgent_at": at + timedelta(minutes=5 - place)} if place % 3 == 0 else {}
        one = builders.delivery(northwind, at=at, **urgent)
        builders.batch(one, builders.handling(), released_to=None if place != 4 else ("ncb-fr",))
    now = timezone.now()

    def shown(few: int) -> list[int]:
        monkeypatch.setattr(desk, "FEW", few)
        found, cursor = [], ""
        while True:
            waiting = desk.waiting_for(person, now)
            page, count = desk.page_for(person, now, waiting, cursor, 2, is_oldest=is_oldest)
            assert count == (6 if few else None)
            found += [each.pk for each in page.rows]
            cursor = page.next
            if not cursor:
                return found

    waiting = list(Delivery.objects.exclude(pk=Delivery.objects.order_by("pk")[4].pk))
    urgent_ones = sorted((each for each in waiting if each.urgent_at), key=lambda each: (each.urgent_at, each.pk))
    others = sorted((each for each in waiting if not each.urgent_at), key=lambda each: (each.received_at, each.pk),
                    reverse=not is_oldest)  # fmt: skip
    assert shown(2_000) == shown(0) == [each.pk for each in (*urgent_ones, *others)]
