"""Set up the peers that the benchmarks are held against, before anything is measured.

The peers' own scripts (a folder that the caller names) install each peer under its package name, below `$PEERS_HOME`
(default: `~/.cache/peers`), never in the project. Each is run once at a tiny size: what answers then can be measured.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LIMIT_SECONDS = 900
PEERS = {
    "IntelMQ's bots as a library": ("bench_intelmq.py", "library", "2000"),
    "IntelMQ with Redis": ("bench_intelmq.py", "redis", "2000"),
    "misp-stix": ("bench_misp.py", "20"),
    "OpenTAXII": ("bench_taxii.py", "opentaxii-sqlite", "2000"),
    "correlation by Polars": ("bench_correlate.py", "polars", "200"),
}
"""What each is asked, so that it is installed and shown to run."""


def home() -> Path:
    """Where the peers lie."""
    return Path(os.environ.get("PEERS_HOME") or Path.home() / ".cache" / "peers")


def prepared(folder: Path) -> Iterator[str]:
    """Set each up that is not; a line about each."""
    if not (folder / "common.py").exists():
        raise SystemExit(f"{folder} holds no scripts of the peers (common.py, bench_intelmq.py …)")
    kept = home() / "ready.json"
    ready: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    for name, (script, *arguments) in PEERS.items():
        path = folder / script
        mark = (
            hashlib.sha256((folder / "common.py").read_bytes() + path.read_bytes()).hexdigest() if path.exists() else ""
        )
        if mark and ready.get(name) == mark:
            yield f"{name}: ready."
            continue
        why = _tried(path, arguments)
        if why:
            yield f"{name}: cannot be had, what is measured against it is left out. {why}"
            continue
        ready[name] = mark
        kept.write_text(json.dumps(ready))
        yield f"{name}: set up in {home()}."


def _tried(path: Path, arguments: list[str]) -> str:
    """Run a peer once at a tiny size; why it does not, or nothing."""
    print(f"Setting up {path.stem} {' '.join(arguments)} …", file=sys.stderr)
    try:
        done = subprocess.run(
            [sys.executable, str(path), *arguments], capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"It was not ready after {LIMIT_SECONDS} s."
    except OSError as error:
        return str(error)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"It ended with status {done.returncode}."]
        return said[-1][:300]
    return ""
