"""A country package: one share turned into a signed archive that needs nothing but itself.

Files, order and times in the archive depend only on the order and the rows: composed twice, it is the same.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl
from isal import isal_zlib

from .changes import Changes
from .misp_event import write_misp
from .observations import Forms, chunks
from .order import Order
from .packed_rows import ROWS, packed
from .report import compose
from .report_html import cover_page, report_page
from .report_pdf import report_pdf
from .stix_bundle import write_stix
from .text_safety import visible
from .values import Figures
from .words import words

FORMAT = "tocsin-country-package/1"
FORMATS = {
    "observations.csv.gz": "CSV (RFC 4180), UTF-8, gzip",
    "observations.jsonl.gz": "JSON Lines, gzip",
    "observations.parquet": "Parquet, zstd",
    "stix.json": "STIX 2.1",
    "misp.json": "MISP core format",
}
_COMPRESSED = (".gz", ".parquet", ".pdf")
_BLOCK = 1 << 20
_SPREADSHEET_ROWS = (1 << 20) - 1
"""That a spreadsheet shows of one file, below its heading."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished package. `summary` is what lists and pages show of it."""

    country: str
    number: str
    path: Path
    sha256: str
    size_bytes: int
    rows: int
    summary: dict[str, Any]


def make_package(share: Path | Iterable[pl.DataFrame], order: Order, folder: Path) -> Made:
    """Compose the archive of one share in `folder`. `share` is its rows, sorted, as a Parquet file or as frames."""
    work = folder / f".{order.name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        rows, figures = _compose_files(share, order, work)
        path = folder / f"{order.name}.zip"
        draft = folder / f".{order.name}.zip"
        _pack(work, draft, order.created_at)
        digest = file_digest(draft)
        draft.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Made(order.country, order.number, path, digest, path.stat().st_size, rows, figures)


class Pieces(Protocol):
    """Rows that are read when they are needed, in the process that needs them."""

    def pieces(self) -> Iterable[pl.DataFrame]: ...


def make_package_of(share: Pieces, order: Order, folder: Path) -> Made:
    """The same, for a process of its own: the rows are read there."""
    return make_package(share.pieces(), order, folder / order.country)


def _compose_files(share: Path | Iterable[pl.DataFrame], order: Order, work: Path) -> tuple[int, dict[str, Any]]:
    with ExitStack() as stack:
        held = order.previous and stack.enter_context(order.previous.opened())
        compared = Changes(packed(held) if held else None, order.values_cap)
        figures = Figures(order.country, order.values_cap, order.misp_batches, order.grades, compared)
        forms = Forms(work / "observations.csv.gz", work / "observations.jsonl.gz", work / ROWS)
        with forms:
            for frame in chunks(share) if isinstance(share, Path) else share:
                forms.add(frame)
                figures.add(frame)
        rows = forms.rows
        values = figures.values()
        summary = figures.summary()
        changes = compared.told()
    objects = write_stix(work / "stix.json", values, order)
    attributes = write_misp(work / "misp.json", figures.exportable(), order)
    (work / "difference.json").write_bytes(_json({"previous": _previous_facts(order), **changes}))
    report = compose(order, summary, changes, values.left_out)
    _write(work / "report.html", report_page(report))
    _write(work / "cover.html", cover_page(report, order))
    (work / "report.pdf").write_bytes(report_pdf(report, order.created_at))
    _write(work / "README.txt", readme(order, rows))
    (work / "public-key.pem").write_bytes(order.public_pem)
    _enclose(order, work)
    counts = {
        "rows": rows,
        "values": values.total,
        "values_in_stix": len(values.shown),
        "stix_objects": objects,
        "misp_attributes": attributes,
        **{f"values_{name}": count for name, count in changes["counts"].items()},  # type: ignore[attr-defined]
    }
    manifest = _json(_manifest(order, counts, work))
    (work / "manifest.json").write_bytes(manifest)
    (work / "manifest.sig").write_bytes(order.sign(manifest))
    figured = {name: summary[name] for name in ("affected", "hostile", "sightings")}
    return rows, {**counts, **figured, **figures.leading()}


def _enclose(order: Order, work: Path) -> None:
    """Write what goes with the rows. A name that is there already, or leads elsewhere, is the fault of who gave it."""
    for enclosed in order.enclosed:
        for name, body in enclosed.files.items():
            if "/" in name or name.startswith(".") or (work / name).exists():
                raise ValueError(f"no name for an enclosed file: {name}")
            (work / name).write_bytes(body() if callable(body) else body)


def _manifest(order: Order, counts: dict[str, int], work: Path) -> dict[str, Any]:
    label = order.label
    return {
        "format": FORMAT,
        "number": order.number,
        "country": order.country,
        "issued_by": order.centre.name,
        "created_at": order.created_at.isoformat(),
        "arrived_from": order.arrived_from.isoformat(),
        "arrived_until": order.arrived_until.isoformat(),
        "language": order.language,
        "handling": {
            "tlp": label.tlp.value,
            "codes": list(label.codes),
            **({"restrictions": list(label.restrictions)} if label.restrictions else {}),
            "pap": label.pap,
            "purposes": list(label.purposes),
            "review_on": label.review_on.isoformat(),
            "expires_on": label.expires_on.isoformat(),
        },
        "counts": counts,
        "values_cap": order.values_cap,
        "previous": _previous_facts(order),
        "address_tables": dict(sorted(order.data_dates.items())),
        "formats": FORMATS,
        "alerts": [{**each.facts, "files": sorted(each.files)} for each in order.enclosed],
        "signature": {"algorithm": "Ed25519", "key_id": order.key_id, "over": "manifest.json"},
        "files": {
            path.name: {"sha256": file_digest(path), "size_bytes": path.stat().st_size}
            for path in sorted(work.iterdir())
        },
    }


def _previous_facts(order: Order) -> dict[str, str] | None:
    previous = order.previous
    return None if previous is None else {"number": previous.number, "sha256": previous.sha256}


def readme(order: Order, rows: int = 0) -> str:
    """How to read and check the package, in the country's language."""
    say = words(order.language)
    commands = (
        "unzip -o " + order.name + ".zip -d " + order.name + " && cd " + order.name,
        "openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig",
        "python3 -c \"import json; [print(f['sha256']+'  '+n) for n,f in "
        "json.load(open('manifest.json'))['files'].items()]\" | sha256sum -c",
    )
    parts = [
        f"{say('package')} {order.number}",
        say("addressed", country=say.country(order.country)),
        f"{order.label.tlp.value}  {' '.join(order.label.codes)}  {order.label.pap}",
        *(f"{say('restriction')}: {visible(each)}" for each in order.label.restrictions),
        *(
            ["\n".join([say("alerts"), *(f"- {visible(each.line)}" for each in order.enclosed)])]
            if order.enclosed
            else []
        ),
        say("check") + "\n" + say("check_text", name=order.name),
        "\n".join(f"    {command}" for command in commands),
        f"{say('key')}: {order.key_id}",
        say("csv_text"),
        *([say("csv_rows", rows=say.number(rows))] if rows > _SPREADSHEET_ROWS else []),
        say("country_note"),
    ]
    return "\n\n".join(parts) + "\n"


def _pack(work: Path, target: Path, moment: datetime) -> None:
    """All files in the order of their names, with one time; what is compressed already is stored.

    Each goes when it is in: those of a large country are gigabytes.
    """
    when = moment.timetuple()[:6]
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for path in _reading_order(work.iterdir()):
            entry = zipfile.ZipInfo(path.name, date_time=when)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            stored = path.name.endswith(_COMPRESSED)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(entry, "w") as sink:
                if not stored:
                    # The same format from ISA-L, which shrinks the large JSON files more in a quarter of the time.
                    sink._compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)  # type: ignore[attr-defined]
                shutil.copyfileobj(source, sink, _BLOCK)
            path.unlink()


def _reading_order(paths: Iterable[Path]) -> list[Path]:
    first = {"README.txt": 0, "cover.html": 1, "report.html": 2, "report.pdf": 3}

    def place(path: Path) -> int:
        return first.get(path.name, 4 if path.name.startswith("alert-") else 9)

    return sorted(paths, key=lambda path: (place(path), path.name))


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))


def _json(body: object) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n"
