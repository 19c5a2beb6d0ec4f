"""An installation in this process: hand something over, let a worker do its work, look at what became of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from tests import builders

from tocsin.centre.intake import services
from tocsin.centre.intake.deliveries import rejection_frames
from tocsin.centre.intake.models import Delivery, LakeFile
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.worker import Handler
from tocsin.centre.members.models import Organisation
from tocsin.core.profiles import Profile
from tocsin.lake import buckets

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def receive(
    content: bytes, name: str = "delivery", *, source: Organisation | None = None, profile: Profile | None = None,
    key: str | None = None,
) -> Delivery:  # fmt: skip
    """Take bytes into keeping."""
    return services.receive(
        organisation=source or builders.organisation("kestrel"), via="api", name=name, chunks=[content], at=AT,
        profile=profile, idempotency_key=key,
    )  # fmt: skip


def work(handlers: Mapping[str, Handler]) -> None:
    """Do all that is due."""
    while worker.run_one("tests", handlers):
        pass


def handed_over(content: bytes, handlers: Mapping[str, Handler], name: str = "delivery", **said: object) -> Delivery:
    """Receive and read; the delivery as it stands then."""
    delivery = receive(content, name, **said)  # type: ignore[arg-type]
    work(handlers)
    delivery.refresh_from_db()
    return delivery


def rows_of(delivery: Delivery) -> pl.DataFrame:
    """All its registered rows, in order of position."""
    batches = list(delivery.batches.values_list("pk", flat=True))
    live = LakeFile.objects.filter(retired_at=None)
    files = [services.store_folder() / path for path in live.values_list("path", flat=True)]
    frames = [builders.rows_in(path).filter(pl.col("batch").is_in(batches)) for path in files if buckets.exists(path)]
    return pl.concat(frames).sort("position") if frames else pl.DataFrame()


def rejections_of(delivery: Delivery) -> list[tuple[int, str, str]]:
    """Position, reason and field of everything refused."""
    frames = list(rejection_frames(delivery))
    return pl.concat(frames).select("position", "reason", "field").rows() if frames else []


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def table(rows: int, *, seed: int = 1) -> bytes:
    """A delimited file of addresses that answer to different countries, with errors and repeats in it."""
    lines = ["timestamp,ip,port,malware,country"]
    for number in range(rows):
        mixed = (number * 2_654_435_761 + seed * 97_531) & 0xFFFFFFFF
        address = f"{8 + mixed % 90}.{mixed >> 8 & 255}.{mixed >> 16 & 255}.{mixed >> 24}"
        address = "10.0.0.1" if number % 97 == 5 else "nonsense" if number % 101 == 7 else address
        port = 70_000 if number % 89 == 3 else mixed % 65_536
        name = ("QakBot", "Emotet", "Mirai", "")[mixed % 4]
        moment = f"2026-11-{1 + mixed % 18:02d}T10:{mixed % 60:02d}:00Z"
        lines.append(f"{moment},{address},{port},{name},{'FR' if mixed % 3 else ''}")
        if number % 50 == 0:
            lines.append(lines[-1])
    return "\n".join(lines).encode() + b"\n"


def bundle(objects: int, *, seed: int = 1) -> bytes:
    """A STIX 2.1 bundle of indicators, malware and relationships."""
    made: list[dict[str, object]] = []
    for number in range(objects):
        tail = f"{seed:04x}{number:08x}"
        moment = "2026-11-01T00:00:00.000Z"
        common = {"spec_version": "2.1", "created": moment, "modified": moment}
        indicator = f"indicator--00000000-0000-4000-8000-{tail}"
        malware = f"malware--00000000-0000-4000-9000-{tail}"
        made += [
            {"type": "indicator", "id": indicator, **common, "pattern_type": "stix", "valid_from": moment,
             "pattern": f"[domain-name:value = 'h{number}.phish.example']", "name": f"host {number}"},
            {"type": "malware", "id": malware, **common, "is_family": True, "name": f"family {number}"},
            {"type": "relationship", "id": f"relationship--00000000-0000-4000-a000-{tail}", **common,
             "relationship_type": "indicates", "source_ref": indicator, "target_ref": malware},
        ]  # fmt: skip
    name = f"bundle--00000000-0000-4000-8000-{seed:012x}"
    return json.dumps({"type": "bundle", "id": name, "objects": made}).encode()


def files_below(folder: Path) -> set[str]:
    """Every file below a folder, relative."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} if folder.is_dir() else set()
