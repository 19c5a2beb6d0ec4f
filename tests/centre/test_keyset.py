"""Pages that begin where the last one ended: whatever others write meanwhile, what was there is shown once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.centre.pages import Page, Part, page_of
from tocsin.centre.rights.models import SubjectRequest as Row

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
WAITING, DONE = Q(answered_at=None), Q(answered_at__isnull=False)
ORDERS = {
    "two parts": (Part(("received_at", "pk"), WAITING), Part(("-answered_at", "-pk"), DONE)),
    "one way": (Part(("-received_at", "-pk")),),
    "two ways": (Part(("-received_at", "kind", "pk")),),
    "numbers": (Part(("-pk",)),),
}
ROWS = st.tuples(st.integers(0, 2), st.none() | st.integers(0, 2), st.sampled_from(Row.Kind.values))
"""Days of receipt and answer, and kind: most are equal in something."""
WRITES = st.lists(st.tuples(st.sampled_from(["add", "remove"]), ROWS, st.integers(0, 50)), max_size=3)
_numbers = count(1)


def add(row: tuple[int, int | None, str]) -> Row:
    received, answered, kind = row
    return Row.objects.create(
        number=f"S-{next(_numbers)}", kind=kind, sealed="-", received_at=BEGIN + timedelta(days=received),
        answered_at=None if answered is None else BEGIN + timedelta(days=answered),
    )  # fmt: skip


def in_order(name: str) -> list[int]:
    """The numbers of all rows as the list should show them, sorted here and not there."""
    rows = list(Row.objects.all())
    if name == "two parts":
        waiting = sorted((row.received_at, row.pk) for row in rows if row.answered_at is None)
        done = sorted(((row.answered_at, row.pk) for row in rows if row.answered_at), reverse=True)
        return [number for _, number in waiting] + [number for _, number in done]
    if name == "two ways":
        return [row.pk for row in sorted(rows, key=lambda row: (BEGIN - row.received_at, row.kind, row.pk))]
    if name == "numbers":
        return sorted((row.pk for row in rows), reverse=True)
    return [number for _, number in sorted(((row.received_at, row.pk) for row in rows), reverse=True)]


def numbers(page: Page[Row]) -> list[int]:
    return [row.pk for row in page.rows]


def write(acts: list[tuple[str, tuple[int, int | None, str], int]], there: set[int]) -> None:
    """Add some rows, and take away some of those that were there."""
    for act, row, place in acts:
        if act == "add":
            add(row)
        elif there:
            gone = sorted(there)[place % len(there)]
            there.discard(gone)
            Row.objects.filter(pk=gone).delete()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(ORDERS)), rows=st.lists(ROWS, max_size=14), size=st.integers(1, 5),
       writes=st.lists(WRITES, max_size=6))  # fmt: skip
def test_each_row_that_stays_is_shown_once_and_in_its_place(
    name: str, rows: list[tuple[int, int | None, str]], size: int,
    writes: list[list[tuple[str, tuple[int, int | None, str], int]]],
) -> None:  # fmt: skip
    Row.objects.all().delete()
    there = {add(row).pk for row in rows}
    page = page_of(Row.objects.all(), ORDERS[name], "", size)
    shown = numbers(page)
    while page.next:
        write(writes.pop() if writes else [], there)
        page = page_of(Row.objects.all(), ORDERS[name], page.next, size)
        assert page.first
        assert len(page.rows) <= size
        shown += numbers(page)
    assert len(shown) == len(set(shown))
    assert [number for number in shown if number in there] == [each for each in in_order(name) if each in there]
    if not page.rows:
        return
    back = numbers(page)
    while page.previous:
        page = page_of(Row.objects.all(), ORDERS[name], page.previous, size)
        back = [*(number for number in numbers(page) if number not in back), *back]
    assert not page.first
    assert back == in_order(name)[: len(back)]


def test_a_cursor_of_another_list_begins_anew() -> None:
    rows = [add((0, None, "access")) for _ in range(3)]
    theirs = page_of(Row.objects.all(), ORDERS["numbers"], "", 1).next
    page = page_of(Row.objects.all(), ORDERS["one way"], theirs, 1)
    assert (numbers(page), page.first) == ([rows[-1].pk], False)
    for nonsense in ("x", "%00", "9" * 40, "gAAAAAB", theirs[:-4]):
        assert not page_of(Row.objects.all(), ORDERS["numbers"], nonsense, 1).first


def test_what_lies_before_an_emptied_page_is_the_first_page() -> None:
    rows = [add((0, None, "access")) for _ in range(4)]
    following = page_of(Row.objects.all(), ORDERS["numbers"], "", 2).next
    last = page_of(Row.objects.all(), ORDERS["numbers"], following, 2)
    assert numbers(last) == [rows[1].pk, rows[0].pk]
    Row.objects.filter(pk__in=numbers(last)).delete()
    assert numbers(page_of(Row.objects.all(), ORDERS["numbers"], following, 2)) == []
    before = page_of(Row.objects.all(), ORDERS["numbers"], last.previous, 2)
    assert numbers(before) == [rows[3].pk, rows[2].pk]
    assert (before.first, before.next) == (False, "")
