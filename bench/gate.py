"""The gate at scale: half a million batches under thousands of handling sets.

    python bench/gate.py [--batches 500000] [--sets 5000] [--rounds 40]

Builds a fresh installation with that many batches, from 50 sources, under that many different handling sets, and asks
for six kinds of viewers: the compiled gate with the condition of `visible_batches` (the database's newest change is
read each time), the scope that questions to the lake take, and a page of the newest batches with the gate and
without it, which is the raw limit in the same run. The gate's overhead on a list page is the difference of these two,
against the whole page as a browser gets it. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.handling import Viewer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SOURCES = 50
PAGE = 50
GOALS = {"visible_batches_ms": 20, "list_page_overhead_percent": 10}
COUNTRIES = ("FR", "MA", "BR", "JP", "KE", "CA", "SN", "PE", "IN", "DE", "EG", "AU")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--batches", type=int, default=500_000)
    asked.add_argument("--sets", type=int, default=5_000)
    asked.add_argument("--rounds", type=int, default=40)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOCSIN_HOME"] = str(Path(folder) / "home")
        from tocsin.cli.installation import make

        make("Bench")
        began = time.perf_counter()
        terms = build(told.batches, told.sets)
        facts: dict[str, object] = {
            "batches": told.batches, "sets": told.sets, "terms": terms,
            "build_seconds": round(time.perf_counter() - began, 1),
        }  # fmt: skip
        facts |= measured(told.rounds)
        facts["goals"] = {name: f"< {most}" for name, most in GOALS.items()}
        facts["met"] = {name: float(str(facts[name])) < most for name, most in GOALS.items()}
        print(json.dumps(facts))


def build(batches: int, sets: int) -> int:
    """That many batches, dealt over the sets; says under how many different terms."""
    from tests import builders

    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.intake.terms import BY_LABEL, terms_row
    from tocsin.core.words import Tlp
    from tocsin.handling import HandlingSet

    now = datetime.now(UTC)
    sources = [builders.organisation(f"source-{number}") for number in range(SOURCES)]
    deliveries = [builders.delivery(source, at=now) for source in sources]
    said = itertools.islice(
        itertools.product(
            Tlp, range(1, 61), ((), ("country:FR",), ("country:MA", "country:BR")), ((), ("country:JP",)),
            ("may", "must-not"), (("PROTECT",), ("PROTECT", "INVESTIGATE")),
        ),
        sets,
    )  # fmt: skip
    terms = []
    for place, (tlp, months, audience, exclusions, attribution, purposes) in enumerate(said):
        body = HandlingSet(
            tlp=tlp, retention_months=months, audience=audience, exclusions=exclusions, attribution=attribution,
            purposes=purposes,
        )  # fmt: skip
        row = builders.handling(**{name: getattr(body, name) for name in HandlingSet.__dataclass_fields__})
        audience_of = (BY_LABEL, BY_LABEL, None, ("all-members",))[place % 4]
        terms.append(terms_row(sources[place % SOURCES].pk, row, audience_of))
    by_source = {delivery.organisation_id: delivery for delivery in deliveries}
    assert Delivery.objects.count() == SOURCES
    for start in range(0, batches, 20_000):
        Batch.objects.bulk_create(
            Batch(
                delivery=by_source[under.organisation_id], organisation_id=under.organisation_id, terms=under,
                handling_set_id=under.handling_set_id, received_at=now - timedelta(seconds=batches - number), rows=10,
            )
            for number in range(start, min(batches, start + 20_000))
            for under in (terms[int(hashlib.sha256(str(number).encode()).hexdigest()[:8], 16) % len(terms)],)
        )  # fmt: skip
    return len({each.pk for each in terms})


def viewers_of_all_kinds() -> list[Viewer]:
    """Officers of bureaus, an analyst of the Centre, a partner."""
    from tocsin.handling import Viewer

    def bureau(code: str) -> Viewer:
        return Viewer(
            person=f"officer-{code}", organisation=f"ncb-{code.lower()}", class_name="law-enforcement", country=code,
            is_bureau=True, clearance="restricted",
        )  # fmt: skip

    viewers = [bureau(code) for code in COUNTRIES]
    return [
        *viewers,
        Viewer("analyst", "centre", "law-enforcement", is_centre=True, is_victim_desk=True, clearance="confidential"),
        Viewer("partner", "source-7", "private"),
    ]


def measured(rounds: int) -> dict[str, object]:
    """Medians, in milliseconds, and the share by which a page is slower for the gate."""
    from tests import builders

    from tocsin.centre.intake.models import Batch
    from tocsin.centre.intake.register import register
    from tocsin.centre.intake.selectors import scope_of, visible_batches

    viewers = viewers_of_all_kinds()
    began = time.perf_counter()
    register()
    first = time.perf_counter() - began
    began = time.perf_counter()
    for viewer in viewers:
        visible_batches(viewer).query.sql_with_params()
    cold = (time.perf_counter() - began) / len(viewers)

    def page(found: object) -> list[int]:
        return list(found.order_by("-received_at").values_list("pk", flat=True)[:PAGE])  # type: ignore[attr-defined]

    times: dict[str, list[float]] = {"gate": [], "scope": [], "page": [], "page_raw": []}
    delivery = builders.delivery(builders.organisation("late"))
    late = builders.handling()
    after_arrival = []
    for number in range(rounds):
        viewer = viewers[number % len(viewers)]
        asks: dict[str, Callable[[], object]] = {
            "gate": lambda viewer=viewer: visible_batches(viewer).query.sql_with_params(),
            "scope": lambda viewer=viewer: scope_of(viewer),
            "page": lambda viewer=viewer: page(visible_batches(viewer)),
            "page_raw": lambda: page(Batch.objects.filter(hidden_at=None)),
        }
        for name, ask in asks.items():
            began = time.perf_counter()
            ask()
            times[name].append((time.perf_counter() - began) * 1000)
        if number % 4 == 0:
            builders.batch(delivery, late)
            began = time.perf_counter()
            scope_of(viewer)
            after_arrival.append((time.perf_counter() - began) * 1000)
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    return {
        "visible_batches_ms": medians["gate"],
        "visible_batches_new_viewer_ms": round(cold * 1000, 2),
        "lake_scope_ms": medians["scope"],
        "lake_scope_after_arrival_ms": round(statistics.median(after_arrival), 2),
        "batches_page_ms": medians["page"],
        "batches_page_without_gate_ms": medians["page_raw"],
        "whole_page_ms": (whole := round(statistics.median(whole_pages(rounds)), 2)),
        "list_page_overhead_percent": round(100 * (medians["page"] - medians["page_raw"]) / whole, 1),
        "first_register_seconds": round(first, 2),
    }


def whole_pages(rounds: int) -> list[float]:
    """Milliseconds of a list as a signed-in browser gets it: what the gate's share of a page is held against."""
    from bench.lookup import Pages

    pages, times = Pages(), []
    for _ in range(rounds):
        began = time.perf_counter()
        pages.get("/deliveries")
        times.append((time.perf_counter() - began) * 1000)
    return times


if __name__ == "__main__":
    main()
