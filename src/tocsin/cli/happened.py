"""The table of what became of all deliveries: per partner, with speed, and how many countries are served."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = ("Accepted", "Repeats", "Objects", "Proposals", "Rejected", "Set aside", "Held", "Twice", "Rows/s")


def show(console: Console, seconds: float, *, quiet: bool = False) -> dict[str, Any]:
    """Print the table and return its totals. Rows per second are per second of a reading process."""
    from tocsin.centre.intake.models import Delivery, Tally

    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in Delivery.objects.select_related("organisation"):
        mine = sums[each.organisation.name]
        mine["Deliveries"] += 1
        mine["Accepted"] += each.rows
        mine["Repeats"] += each.repeats
        mine["Objects"] += each.objects_count
        mine["Proposals"] += each.proposals_count
        mine["Rejected"] += each.rejections
        mine["Set aside"] += each.state == Delivery.State.QUARANTINED
        mine["Held"] += each.state == Delivery.State.HELD
        mine["Twice"] += each.state == Delivery.State.DUPLICATE
        mine["seconds"] += each.seconds
    names = ("Deliveries", *COLUMNS[:-1], "seconds")
    total = {name: sum(each[name] for each in sums.values()) for name in names}
    table = Table(title="Deliveries by partner", show_footer=True)
    table.add_column("Partner", footer="Together", max_width=27, overflow="ellipsis", no_wrap=True)
    for name in ("Deliveries", *COLUMNS):
        table.add_column(name, footer=_cell(total, name), justify="right", no_wrap=True)
    for partner in sorted(sums):
        table.add_row(partner, *(_cell(sums[partner], name) for name in ("Deliveries", *COLUMNS)))
    if not quiet:
        console.print(table)
    countries = Tally.objects.exclude(country="").values("country").distinct().count()
    read = _rows(total)
    console.print(
        f"{countries} countries served. {read:,.0f} rows in {seconds:.1f} s: "
        f"{read / max(seconds, 0.1):,.0f} rows per second by the clock."
    )
    facts = {name.lower().replace(" ", "_"): round(value) for name, value in total.items()}
    return facts | {
        "partners": len(sums),
        "countries": countries,
        "rows_per_second": round(read / max(seconds, 0.1)),
        "rows_per_processor_second": round(read / max(total["seconds"], 0.1)),
    }


def _rows(sums: dict[str, float]) -> float:
    return sums["Accepted"] + sums["Repeats"] + sums["Rejected"]


def _cell(sums: dict[str, float], name: str) -> str:
    if name == "Rows/s":
        return f"{_rows(sums) / sums['seconds']:,.0f}" if sums["seconds"] else ""
    return f"{sums[name]:,.0f}"
