"""Reach of the public edition, for the desk: counts, none of which tells on anybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Sum

from . import reading
from .models import Embedded, Read, Returning, Round, Subscriber

DAYS = 60


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the public edition came."""

    total: int | None
    """None: some, and too few to say."""
    by_output: list[tuple[str, int | None]]
    by_language: list[tuple[str, int | None]]
    by_day: list[tuple[date, int]]
    """Days with few are as days without any."""
    told: list[tuple[str, int, int]]
    """Kind of subscribers, how many were told, how many could not be."""


def reach_of(number: str, today: date) -> Reach:
    """Of one alert; of an empty number, of the whole site."""
    rows = Read.objects.filter(number=number) if number else Read.objects.all()
    days = dict(
        rows.filter(day__gt=today - timedelta(days=DAYS)).order_by().values_list("day").annotate(sum=Sum("count"))
    )
    every = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    rounds = Round.objects.filter(telling__number=number) if number else Round.objects.all()
    told = rounds.order_by("kind").values_list("kind").annotate(told=Sum("told"), failed=Sum("failed"))
    return Reach(
        total=reading.suppressed(rows.aggregate(sum=Sum("count"))["sum"] or 0),
        by_output=reading.shown(rows.order_by().values_list("output").annotate(sum=Sum("count"))),
        by_language=reading.shown(rows.exclude(language="").order_by().values_list("language").annotate(Sum("count"))),
        by_day=[(day, reading.suppressed(days.get(day, 0)) or 0) for day in every],
        told=[(kind, reading.suppressed(sent or 0) or 0, reading.suppressed(max(0, failed or 0)) or 0)
              for kind, sent, failed in told],
    )  # fmt: skip


def embedders(today: date) -> list[tuple[str, int]]:
    """Hosts on whose pages the widget was shown, in the last days."""
    rows = Embedded.objects.filter(day__gt=today - timedelta(days=DAYS)).order_by().values_list("host")
    found = rows.annotate(sum=Sum("count")).filter(sum__gte=reading.LEAST_FROM_HOST)
    return sorted(((str(host), int(number)) for host, number in found), key=lambda pair: (-pair[1], pair[0]))[:50]


def subscribers() -> tuple[list[tuple[str, int | None]], list[tuple[str, int | None]]]:
    """How many are subscribed, by kind and by language."""
    active = Subscriber.objects.filter(state=Subscriber.State.ACTIVE).order_by()
    by_kind = reading.shown(active.values_list("kind").annotate(Count("pk")))
    return by_kind, reading.shown(active.values_list("language").annotate(Count("pk")))


def resting_bureaus() -> list[Returning]:
    """Bureaus to whose address no mail goes any more, because it came back: somebody asks them for another one."""
    from .bouncing import rests

    found = Returning.objects.filter(rests_at__isnull=False, organisation__isnull=False).select_related("organisation")
    return [each for each in found.order_by("organisation__name") if each.organisation and rests(each.organisation)]


def resting_readers() -> int | None:
    """How many subscribers get no mail any more, because it came back; None: some, and too few to say."""
    return reading.suppressed(Returning.objects.filter(rests_at__isnull=False, subscriber__isnull=False).count())
