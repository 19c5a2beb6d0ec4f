"""`tocsin audit ...`: the log of acts."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from . import setup

ENTRIES_AT_ONCE = 1_000
FOLLOW_SECONDS = 2.0
LONGEST_PLACE = 18
"""Digits of a place in a log."""
LONGEST_PROOF_BYTES = 1 << 20
LONGEST_ASKED = 120


@click.group()
@click.pass_context
def audit(context: click.Context) -> None:
    """Search the log of acts, hand it on, prove an entry, check a proof, verify the whole."""
    if context.invoked_subcommand != "check":  # Who checks a proof need have no installation.
        setup()


@audit.command("search")
@click.option("--actor", help="Login of the person, key:NAME or system.")
@click.option("--action", help="What was done, such as package.fetched; package. finds all that begin so.")
@click.option("--subject", help="What was acted on, such as package:FR-2026-0001.")
@click.option("--since", type=click.DateTime(), help="From this moment on (UTC).")
@click.option("--until", type=click.DateTime(), help="Before this moment (UTC).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the entry's number.")
def search(
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """The newest entries that fit. That somebody looked is an entry too."""
    from tocsin.centre.audit.selectors import found
    from tocsin.site.acts import line_of

    asked = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
    _note_search({name: str(said) for name, said in asked.items() if said})
    entries = found(
        actor=actor or "",
        action=action or "",
        subject=subject or "",
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
    )[:limit]
    for entry in entries:
        if as_json:
            line = line_of(entry)
            click.echo(json.dumps({**line, "pk": line["number"], "detail": json.loads(line["detail"])}))
        else:
            click.echo(f"{entry.pk:>8}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.actor}  {entry.action}  {entry.subject}")
    if not entries and not as_json:
        click.echo("Nothing in the log fits.")


def _note_search(asked: dict[str, str]) -> None:
    """Who looks through the acts of others leaves one too, here as on the page (DOMAIN 0, rule 10)."""
    from tocsin.centre.audit.services import record
    from tocsin.site.act_log import SUBJECT

    shown = {name: said[:LONGEST_ASKED] for name, said in asked.items()}
    record("command", "log.searched", SUBJECT, {"asked": shown}, at=datetime.now(UTC))


@audit.command("copy")
@click.argument("what")
def copy(what: str) -> None:
    """Whose copy WHAT is: a mark (TOC-…), or a file that turned up where it should not. 1 where nobody is found."""
    from tocsin.centre.audit.selectors import found
    from tocsin.products.copies import is_mark, marks_in

    path = Path(what)
    marks = [what.upper()] if is_mark(what.upper()) else marks_in(path) if path.is_file() else []
    if not marks:
        raise click.ClickException(
            f"{what} has no mark of a copy: it was not taken from here, or somebody took the mark away. "
            "Who took a package: tocsin audit search --action package.fetched --subject package:NUMBER"
        )
    known = False
    _note_search({"subject": " ".join(marks)})
    for mark in marks:
        for entry in found(subject=mark):
            known = True
            click.echo(f"{mark}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.actor}  {entry.action}  {entry.subject}")
    if not known:
        raise click.ClickException(f"{', '.join(marks)}: this installation gave no such copy.")


@audit.command("export")
@click.option(
    "--after", default=-1, type=click.IntRange(-1, 2**63 - 1), help="Go on after this place in the log; default: all."
)
@click.option(
    "--state",
    "state_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that remembers the last place: the next call goes on from there.",
)
@click.option("--follow", is_flag=True, help="Go on as the log grows, until stopped.")  # fmt: skip
def export(after: int, state_file: Path | None, follow: bool) -> None:
    """Print the entries in the order of the log, one JSON object a line, for another system.

    An entry comes once it has its place in the tree, within a minute of the act. Each is printed at least once: after
    a crash some may come again with the same place.
    """
    from tocsin.centre.audit.selectors import after_place
    from tocsin.centre.audit.services import record
    from tocsin.site.act_log import SUBJECT
    from tocsin.site.acts import line_of

    place = _remembered(state_file, after)
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    record("system", "log.exported", SUBJECT, {"after": place, "follow": follow}, at=datetime.now(UTC))
    while not told.is_set():
        portion = after_place(place, ENTRIES_AT_ONCE)
        for entry in portion:
            click.echo(json.dumps(line_of(entry)))
        if portion:
            place = portion[-1].place or 0
            sys.stdout.flush()
            _remember(state_file, place)
        elif not follow:
            return
        else:
            told.wait(FOLLOW_SECONDS)


def _remembered(state_file: Path | None, after: int) -> int:
    """The place to go on after: what the file says, where there is one."""
    if state_file is None or not state_file.exists():
        if state_file is not None and not state_file.parent.is_dir():
            raise click.ClickException(f"There is no folder {state_file.parent}.")
        return after
    said = state_file.read_bytes()[:40].strip()
    if not said.isdigit() or len(said) > LONGEST_PLACE:
        raise click.ClickException(f"{state_file} holds no place in the log; remove it to begin anew.")
    return int(said)


def _remember(state_file: Path | None, place: int) -> None:
    """Only what was handed on is remembered, and never half a number."""
    if state_file is not None:
        fresh = state_file.with_name(state_file.name + ".new")
        fresh.write_text(f"{place}\n", encoding="ascii")
        fresh.replace(state_file)


@audit.command("keep")
def keep() -> None:
    """Sign how far the log has come, now. Workers do it every minute."""
    from tocsin.centre.audit import tree
    from tocsin.site.act_log import log_of_acts

    made = tree.keep(log_of_acts(), datetime.now(UTC))
    click.echo(made.note if made else "Nothing new since the last checkpoint.", nl=made is None)


@audit.command("prove")
@click.argument("number", type=int)
def prove(number: int) -> None:
    """Print what shows anybody that entry NUMBER is in the log: hashes that lead to a signed checkpoint."""
    from tocsin.centre.audit import tree
    from tocsin.centre.audit.models import Entry
    from tocsin.site.act_log import log_of_acts

    entry = Entry.objects.filter(pk=number).first()
    if entry is None:
        raise click.ClickException(f"There is no entry {number}. Find its number with: tocsin audit search")
    proof = tree.proof_of(log_of_acts(), entry)
    if proof is None:
        raise click.ClickException("No checkpoint covers this entry yet. Sign one with: tocsin audit keep")
    click.echo(json.dumps(proof, indent=1))


@audit.command("key")
def key() -> None:
    """Print the public key that proofs and checkpoints are checked with."""
    from tocsin.site.act_log import log_of_acts

    click.echo(log_of_acts().key.public_line)


@audit.command("check")
@click.argument("proof", type=click.File("rb"))
@click.option(
    "--key", "key_file", type=click.File("rb"), help="File with the log's public key, got from somebody you trust."
)
def check(proof: BinaryIO, key_file: BinaryIO | None) -> None:
    """Check a PROOF from anywhere, offline: that the act in it is in the log of whoever signed."""
    from tocsin.core.errors import InputError
    from tocsin.credentials import log_proofs

    try:
        named = key_file.read(LONGEST_PROOF_BYTES).decode().strip() if key_file else ""
    except UnicodeDecodeError as error:
        raise click.ClickException("This is not a public key: a line from tocsin audit key.") from error
    try:
        told = json.loads(proof.read(LONGEST_PROOF_BYTES))
        named = named if key_file else str(told.get("public_key", ""))
        proven = log_proofs.checked(told, named)
    except (ValueError, RecursionError, AttributeError) as error:
        raise click.ClickException("This is not a proof: a JSON object from tocsin audit prove.") from error
    except InputError as error:
        raise click.ClickException(f"The proof does not hold: {error.field} ({error.excerpt})") from error
    click.echo(proven.entry)
    click.echo(f"is entry {proven.index} of the first {proven.checkpoint.size} in {proven.checkpoint.origin}.")
    if key_file is None:
        click.echo(f"Signed by the key that the proof itself brings: {named}\nCompare it with the one that you know.")


@audit.command("verify")
@click.option("--json", "as_json", is_flag=True)
def verify(as_json: bool) -> None:
    """Hash every entry again and compare with every checkpoint, those in the second place included."""
    from tocsin.centre.audit import tree
    from tocsin.site.act_log import log_of_acts

    verdict = tree.verify(log_of_acts())
    if as_json:
        fields = ("entries", "waiting", "checkpoints", "witnessed", "faults")
        click.echo(json.dumps({name: getattr(verdict, name) for name in fields}))
    for fault in verdict.faults:
        click.echo(fault, err=True)
    if verdict.faults:
        raise click.ClickException("The log is not what was signed.")
    if not as_json:
        click.echo(
            f"{verdict.entries:,} entries are what {verdict.checkpoints:,} checkpoints signed "
            f"({verdict.witnessed:,} in the second place); {verdict.waiting:,} wait for the next one."
        )
