"""When what was handed over ends, and when somebody is asked about it (DOMAIN R6, W05). Pure.

A term counts from the recorded receipt in whole months; its last day counts whole, in UTC: at 24:00 it is over.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from tocsin.reference.retention import retention

DAY = timedelta(days=1)


def last_day(received_at: datetime, months: int) -> date:
    """The last day of a term of so many months: the same day of the month, or the month's last."""
    day = received_at.astimezone(UTC).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of(day: date) -> datetime:
    """24:00 UTC of the day."""
    return datetime.combine(day + DAY, time(), UTC)


def expires_at(received_at: datetime, months: int) -> datetime:
    """The moment from which nobody sees it."""
    return end_of(last_day(received_at, months))


def last_day_of(expiry: datetime) -> date:
    """The day whose 24:00 it is, as people say it."""
    return (expiry.astimezone(UTC) - timedelta(microseconds=1)).date()


def latest_day(received_at: datetime) -> date:
    """The last day that any extension can reach."""
    return last_day(received_at, retention().months_most)


def review_at(expiry: datetime) -> datetime:
    """When its keeping is first to be looked at."""
    return expiry - retention().reminders[0]


def reminder_at(expiry: datetime, now: datetime) -> timedelta | None:
    """How long before the end the last reminder that is due was to come; None before the first and after the end."""
    due = [before for before in retention().reminders if expiry - before <= now < expiry]
    return due[-1] if due else None


def purge_at(expiry: datetime) -> datetime:
    """When it is purged, if nothing holds it."""
    return expiry + retention().purge_after
