"""An alert for 196 bureaus and everybody: how long from its approval until it is in every output and every view.

    python bench/alerts.py [--alerts 20] [--bureaus 196]

Builds a fresh installation with an officer of each bureau, and takes so many alerts in four languages up to where they
wait for their approval. Then each is approved, its police edition read by a worker beside, as it is in an
installation, and published: measured from the call to the moment when the last of the bureaus sees the police edition
through the gate, and page, CAP message, feed, document and card of each language lie on the public site. The first
alert, which also makes the whole site, stands apart. CPU seconds are those of this process. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.centre.alerts.models import Version
    from tocsin.centre.members.models import Person

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

GOAL_SECONDS = 5.0
LANGUAGES = ("en", "fr", "es", "ar")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--alerts", type=int, default=20)
    asked.add_argument("--bureaus", type=int, default=196)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        os.environ["TOCSIN_HOME"] = str(Path(folder) / "home")
        from tocsin.cli.installation import make

        make("Bench")
        officers = bureaus(told.bureaus)
        first, *others = [published(officers) for _ in range(told.alerts + 1)]
        took = sorted(each["seconds"] for each in others)
        facts: dict[str, Any] = {
            "bench": "alerts", "cores": os.cpu_count(), "load": os.getloadavg()[0], "alerts": len(others),
            "bureaus": len(officers), "first_s": round(first["seconds"], 2),
            "p50_s": round(took[len(took) // 2], 2), "p95_s": round(took[min(len(took) - 1, len(took) * 95 // 100)], 2),
            **{f"{part}_cpu_s": round(sum(each[part] for each in others) / len(others), 3)
               for part in ("approval", "reading", "publication")},
        }  # fmt: skip
        facts |= {"goal": f"visible everywhere in {GOAL_SECONDS:.0f} s, p95", "met": facts["p95_s"] < GOAL_SECONDS}
        print(json.dumps(facts))


def bureaus(count: int) -> list[Person]:
    """An officer of each."""
    from datetime import UTC, datetime

    from tests import builders

    from tocsin.reference.members import members

    codes = [each.code for each in members(datetime.now(UTC).date())][:count]
    return [builders.person(f"officer-{code.lower()}", builders.bureau(code), "officer") for code in codes]


def published(officers: list[Person]) -> dict[str, float]:
    """Take one the whole way; seconds from its approval, and what each part cost."""
    from django.utils import timezone
    from tests import alert_life, people
    from tests.crew import work

    from tocsin.centre.alerts import publishing

    version = alert_life.ready(alert_life.begun())
    releaser = people.call(alert_life.RELEASER)
    began, used = time.perf_counter(), [time.process_time()]
    publishing.approve(version, by=releaser, at=timezone.now())
    used.append(time.process_time())
    work()
    used.append(time.process_time())
    version = publishing.publish_public(alert_life.fresh(version), by=releaser, at=timezone.now())
    used.append(time.process_time())
    require_seen(version, officers)
    spent = (later - earlier for earlier, later in pairwise(used))
    parts = dict(zip(("approval", "reading", "publication"), spent, strict=True))
    return parts | {"seconds": time.perf_counter() - began}


def require_seen(version: Version, officers: list[Person]) -> None:
    """Raises SystemExit where somebody does not see it, or an output is not there."""
    from tocsin.centre.alerts import files
    from tocsin.centre.alerts.models import PublicFile
    from tocsin.centre.intake.selectors import visible_batches
    from tocsin.centre.members.selectors import viewer_of

    for each in officers:
        if not visible_batches(viewer_of(each)).filter(delivery=version.delivery_id).exists():
            raise SystemExit(f"{each.login} does not see it")
    number = version.alert.number
    paths = [f"{number}/alert.cap.xml", f"{number}/alert.stix.json", "feed.atom"]
    for language in LANGUAGES:
        paths += [f"{language}/{number}/", f"{language}/feed.atom", f"{number}/{language}.pdf"]
        paths += [f"{number}/card-{language}.png", f"{number}/{language}.txt"]
    there = dict(PublicFile.objects.filter(path__in=paths, is_gone=False).values_list("path", "sha256"))
    if set(there) != set(paths):
        raise SystemExit(f"not there: {sorted(set(paths) - set(there))}")
    if str(number) not in files.read(there["feed.atom"]).decode():
        raise SystemExit("the feed does not have it")


if __name__ == "__main__":
    main()
