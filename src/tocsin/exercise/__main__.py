"""`python -m tocsin.exercise FOLDER`: write an exercise without an installation."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from .generate import SEED, generate


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tocsin.exercise", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--until", type=date.fromisoformat, default=datetime.now(UTC).date())
    chosen = parser.parse_args(arguments)
    plan = generate(chosen.folder, until=chosen.until, seed=chosen.seed, observations=chosen.observations)
    sys.stdout.write(f"{len(plan.deliveries)} deliveries of {len(plan.organisations)} organisations\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
