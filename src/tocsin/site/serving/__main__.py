"""`python -m tocsin.site.serving HOST PORT [DRAIN_SECONDS]`: the portal, as `tocsin serve` starts it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from tocsin.core.starting import starting


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    host, port, *further = sys.argv[1:]
    with starting():
        from tocsin.site.wsgi import application

        from .at_once import AtOnce
        from .portal import run
        from .rules import Rules
    rules = replace(Rules(), drain_seconds=float(further[0])) if further else Rules()
    run(application, host, int(port), rules, AtOnce())


if __name__ == "__main__":
    main()
