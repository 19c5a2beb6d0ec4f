"""Whether what is excluded can be told from what is absent by the time that an answer takes (invariant I2).

    python bench/absent.py [--rounds 300] [--deliveries 2000]

Builds a fresh installation: many deliveries that are open to a bureau, and a scene from which it is excluded. Its
officer then asks, at every door where something is looked up by its own number, for the hidden thing, for one that was
never there, and for another that was never there: the last two tell how large the noise of the machine is. The three
are asked in turns, in a new order each time. What is measured is the time of the processor: on a shared machine the
clock on the wall would hide a difference. For each door: the medians, and the chance that an answer about the hidden
takes longer than one about the absent (0.5 if nobody can tell), beside the same chance between the two that are absent.
Slow outliers move neither. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

    from tocsin.centre.members.models import Person

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

GOAL = 0.1
"""How far from an even chance a door may be: whoever guesses from one answer is right in at most 55 of 100 cases."""
KINDS = ("hidden", "absent", "other")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=300)
    asked.add_argument("--deliveries", type=int, default=2_000)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOCSIN_HOME"] = str(Path(folder) / "home")
        from tocsin.cli.installation import make

        make("Bench")
        no_limits()
        doors = {name: measured(*each, told.rounds) for name, each in build(told.deliveries).items()}
    print(json.dumps({
        "rounds": told.rounds, "deliveries": told.deliveries, "doors": doors,
        "farthest_from_even": max(abs(each["chance_hidden_is_slower"] - 0.5) for each in doors.values()),
        "farthest_from_even_by_noise": max(abs(each["chance_between_absent"] - 0.5) for each in doors.values()),
        "goal": f"< {GOAL}",
        "met": all(abs(each["chance_hidden_is_slower"] - 0.5) < GOAL for each in doors.values()),
    }))  # fmt: skip


def no_limits() -> None:
    """A person asks more often here than an installation lets anybody ask."""
    from dataclasses import replace

    from django.conf import settings

    house = settings.INSTALLATION
    settings.INSTALLATION = replace(house, limits=dict.fromkeys(house.limits, 0))


def build(deliveries: int) -> dict[str, tuple[Client, tuple[str, str, str]]]:
    """Door → who asks there, and the addresses of the hidden and of two that name nothing."""
    from django.conf import settings
    from django.urls import reverse
    from tests import builders, people, scene

    settings.ALLOWED_HOSTS = ["*"]
    person = people.call("fleur_officer")
    source = builders.organisation("northwind")
    under = builders.handling()
    for number in range(deliveries):
        builders.batch(builders.delivery(source), under, objects_count=number % 3)
    hidden = scene.make("westgate", ("BR", "KE"), 2, exclusions=("country:FR",))
    builders.objects(hidden.delivery.batches.get(), [builders.indicator(1)])
    browser, program = clients(person)
    receipt, number = hidden.delivery.receipt, hidden.recall.number
    receipts = (receipt, "0123456789abcdef", "fedcba9876543210")
    numbers = (number, "RC-2026-0123456789", "RC-2026-9876543210")
    ids = tuple(f"indicator--00000000-0000-4000-8000-{each:012d}" for each in (1, 77, 78))

    def pages(name: str, said: tuple[object, ...]) -> tuple[Client, tuple[str, str, str]]:
        one, two, three = (reverse(name, args=[each]) for each in said)
        return browser, (one, two, three)

    def programs(address: str, said: tuple[str, ...]) -> tuple[Client, tuple[str, str, str]]:
        one, two, three = (address.format(each) for each in said)
        return program, (one, two, three)

    by_receipt = (
        "delivery",
        "receipt",
        "delivery-original",
        "received",
        "delivery-recall",
        "delivery-reach",
        "term-of",
    )
    objects = (hidden.thing.pk, 77_000_001, 78_000_001)
    packages = (hidden.package.number, "BR-2026-0077", "BR-2026-0078")
    return {
        **{name: pages(name, receipts) for name in by_receipt},
        **{name: pages(name, objects) for name in ("object", "object-raw", "object-reach")},
        **{name: pages(name, numbers) for name in ("recall", "recall-certificate")},
        "package-download": pages("package-download", packages),
        "api delivery": programs("/api/v1/deliveries/{}", receipts),
        "api received": programs("/api/v1/received/{}", receipts),
        "api reach": programs("/api/v1/reach/deliveries/{}", receipts),
        "api look-up": programs("/api/v1/lookup?q={}", ids),
        "taxii object": programs("/taxii2/ncb-fr/collections/released/objects/{}/", ids),
        "taxii status": programs("/taxii2/ncb-fr/status/{}/", receipts),
    }  # fmt: skip


def clients(person: Person) -> tuple[Client, Client]:
    """A browser in which this person is signed in, and a program with a key of the person's."""
    from datetime import timedelta

    from django.test import Client
    from django.utils import timezone

    from tocsin.centre.members.services import add_key

    now = timezone.now()
    browser = Client()
    browser.force_login(person)
    _, secret = add_key(person=person, name="bench", scopes=("deliver", "taxii", "read", "packages"),
                        expires_at=now + timedelta(days=90), by="bench", at=now)  # fmt: skip
    accepts = "application/taxii+json;version=2.1, */*"
    program = Client(headers={"Authorization": f"Bearer {secret}", "Accept": accepts})
    return browser, program


def measured(client: Client, addresses: tuple[str, str, str], rounds: int) -> dict[str, float]:
    """Milliseconds of each kind, and how often one is slower than the other."""
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    turns = list(zip(KINDS, addresses, strict=True))
    statuses = set()
    for turn in range(rounds + 5):
        random.shuffle(turns)
        for kind, address in turns:
            began = time.process_time()
            statuses.add(client.get(address).status_code)
            if turn >= 5:  # The first ones fill caches.
                took[kind].append((time.process_time() - began) * 1000)
    assert len(statuses) == 1, f"{addresses[0]} is told apart by its status: {statuses}"
    return {
        "hidden_ms": round(statistics.median(took["hidden"]), 3),
        "absent_ms": round(statistics.median(took["absent"]), 3),
        "chance_hidden_is_slower": chance(took["hidden"], took["absent"]),
        "chance_between_absent": chance(took["other"], took["absent"]),
    }


def chance(ones: list[float], others: list[float]) -> float:
    """That one of the first takes longer than one of the second, ties as halves (the statistic of Mann and Whitney)."""
    ordered = sorted(others)
    less = sum(bisect.bisect_left(ordered, each) + bisect.bisect_right(ordered, each) for each in ones)
    return round(less / (2 * len(ones) * len(others)), 3)


if __name__ == "__main__":
    main()
