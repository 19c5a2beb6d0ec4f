"""`tocsin acceptance`: a folder of real deliveries through the product's own reader, compared with what is expected."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .acceptance_rules import Rule, Verdict, judge, load, set_of
from .acceptance_run import Measured, measure_all

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = ROOT / "docs" / "reference" / "acceptance.toml"
PAGE = EXPECTED.with_suffix(".md")
DELIVERIES = ROOT.parent / "shared" / "data"
LISTS = {"MANIFEST.md", "INDEX.tsv", ".gitattributes"}
"""Files that describe the folder and are no deliveries."""
REASONS_SHOWN = 3
MEBIBYTE = 1 << 20


@click.command()
@click.argument("folder", default=DELIVERIES, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a file.")
@click.option("--only", default="*", show_default=True, help="Pattern of the paths to read; * crosses folders.")
@click.option("--expected", default=EXPECTED, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The rules to compare with.")  # fmt: skip
@click.option("--workers", default=2, show_default=True, help="Files read at the same time.")
@click.option("--write-docs", is_flag=True, help="Write the page with the table and the differences explained.")
def acceptance(folder: Path, as_json: bool, only: str, expected: Path, workers: int, write_docs: bool) -> None:
    """Read every file of FOLDER as a delivery and compare what came of it with what is expected."""
    rules = load(expected)
    paths = deliveries_in(folder)
    chosen = [path for path in paths if fnmatchcase(path.relative_to(folder).as_posix(), only)]
    measured = read_all(folder, chosen, workers, show=not as_json)
    verdict = judge(measured, rules, [path.relative_to(folder).as_posix() for path in paths])
    if as_json:
        for found in measured:
            click.echo(json.dumps(dataclasses.asdict(found)))
    else:
        show_files(measured)
        show_sets(measured)
    if write_docs:
        PAGE.write_text(page_of(measured, rules, verdict), encoding="utf-8")
    for path in verdict.uncovered:
        click.echo(f"no rule speaks of {path}", err=True)
    for failure in verdict.failures:
        click.echo(failure, err=True)
    click.echo(f"{len(measured)} files, {len(verdict.failures)} not as expected", err=True)
    sys.exit(0 if verdict.good else 1)


def deliveries_in(folder: Path) -> list[Path]:
    """Every file of the folder but its own lists."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in LISTS]


def read_all(folder: Path, paths: Sequence[Path], workers: int, *, show: bool) -> list[Measured]:
    """Read the files, with a bar on a terminal."""
    received_at = datetime.now(UTC).isoformat()
    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show or not sys.stderr.isatty()) as bars:
        task = bars.add_task("Reading", total=len(paths))
        return measure_all(folder, paths, received_at, workers, lambda _: bars.advance(task))


def show_files(measured: Sequence[Measured]) -> None:
    """One line a file."""
    table = Table(title="Files")
    for heading in ("File", "Format", "State", "Rows", "Repeats", "Objects", "Proposals", "Rejected", "s", "MiB"):
        table.add_column(heading, justify="left" if heading in {"File", "Format", "State"} else "right")
    for found in measured:
        state = found.fault or " ".join(part for part in (found.state, found.reason) if part)
        table.add_row(found.path, found.format, state, f"{found.rows:,}", f"{found.repeats:,}", f"{found.things:,}",
                      f"{found.proposals:,}", rejected_text(found.rejected, found.reasons), f"{found.seconds:.1f}",
                      f"{found.peak_bytes / MEBIBYTE:.0f}")  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def show_sets(measured: Sequence[Measured]) -> None:
    """One line a set."""
    table = Table(title="Sets")
    for heading in SET_COLUMNS:
        table.add_column(heading, justify="left" if heading in {"Set", "Formats"} else "right")
    for line in set_lines(measured):
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 240).print(table)


SET_COLUMNS = ("Set", "Files", "Formats", "Rows", "Repeats", "Objects", "Proposals", "Rejected", "Seconds", "Peak MiB")


def set_lines(measured: Sequence[Measured]) -> list[tuple[str, ...]]:
    """The cells of the table of sets."""
    sets: dict[str, list[Measured]] = {}
    for found in measured:
        sets.setdefault(set_of(found.path), []).append(found)
    lines = []
    for name, part in sorted(sets.items()):
        formats = Counter(found.format or "none" for found in part).most_common(4)
        reasons: Counter[str] = Counter()
        for found in part:
            reasons.update(found.reasons)
        sums = [sum(getattr(found, each) for found in part) for each in ("rows", "repeats", "things", "proposals")]
        lines.append((
            name, f"{len(part):,}", ", ".join(f"{word} {many}" if len(formats) > 1 else word for word, many in formats),
            *(f"{number:,}" for number in sums),
            rejected_text(sum(found.rejected for found in part), dict(reasons.most_common())),
            f"{sum(found.seconds for found in part):.1f}",
            f"{max(found.peak_bytes for found in part) / MEBIBYTE:.0f}",
        ))  # fmt: skip
    return lines


def rejected_text(rejected: int, reasons: dict[str, int]) -> str:
    """The number and the most frequent reasons."""
    named = ", ".join(f"{reason} {many:,}" for reason, many in list(reasons.items())[:REASONS_SHOWN])
    return f"{rejected:,} ({named})" if named else f"{rejected:,}"


def page_of(measured: Sequence[Measured], rules: Sequence[Rule], verdict: Verdict) -> str:
    """The page of documentation: totals, the table of sets, and every difference explained."""
    total = {
        each: sum(getattr(found, each) for found in measured)
        for each in ("rows", "repeats", "things", "proposals", "rejected")
    }
    lines = [
        "# Acceptance over real deliveries",
        "",
        "Written by `script/acceptance --write-docs`. Each file was read by the product's own reader, in its sandbox.",
        "",
        f"{len(measured):,} files: {total['rows']:,} rows accepted, {total['repeats']:,} repeats, {total['things']:,} "
        f"objects, {total['proposals']:,} proposals, {total['rejected']:,} rejections. "
        f"{len(verdict.failures)} outcomes are not as expected.",
        "",
        "Rows, repeats and rejections together account for every record. A record that names several values gives a "
        "row for each, so that the sum may be larger than the number of records. Seconds are those of the processor.",
        "",
        "| " + " | ".join(SET_COLUMNS) + " |",
        "| --- | --: | --- | " + " | ".join(["--:"] * (len(SET_COLUMNS) - 3)) + " |",
    ]
    lines += ["| " + " | ".join(cells) + " |" for cells in set_lines(measured)]
    lines += ["", "## What the folder's list counts, and what came of it", ""]
    lines += ["A sum or a number of refusals that is given here must come out exactly.", ""]
    lines += ["| Files | The list counts | Must come out | Refused | Why |", "| --- | --- | --- | --- | --- |"]
    lines += [expectation(rule) for rule in rules]
    if verdict.failures:
        lines += ["", "## Not as expected", "", *[f"- {failure}" for failure in verdict.failures]]
    return "\n".join(lines) + "\n"


def expectation(rule: Rule) -> str:
    """One row of the table of what is expected."""
    says = list(rule.sums)
    if rule.formats:
        says.append(f"read as {' or '.join(rule.formats)}")
    if rule.refused_as:
        says.append(f"each refused as {' or '.join(rule.refused_as)}")
    if rule.never:
        says.append(f"never {' or '.join(rule.never)}")
    if "quarantined" in rule.states:
        only = "" if "parsed" in rule.states else "only "
        reasons = f" as {' or '.join(rule.reasons)}" if rule.reasons else ""
        says.append(f"{only}set aside{reasons}")
    refused = ", ".join(f"{reason} {many:,}" for reason, many in rule.refused.items())
    cells = (f"`{rule.files}`", rule.manifest, "; ".join(says), refused, rule.why)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
