"""The command line does what the pages do: `tocsin <noun> <verb>`, progress on a terminal, `--json` for programs."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import Any

import click

from tocsin import __version__
from tocsin.core.errors import InputError, Unavailable
from tocsin.core.machine_faults import SENTENCES, fault_of, said_by
from tocsin.core.reasons import REASONS
from tocsin.core.starting import starting

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("tocsin.cli.installation", "Create an installation: settings, database, keys."),
    "demo": ("tocsin.cli.demo", "Play the demonstration, run the main job, show what happened."),
    "ingest": ("tocsin.cli.ingest", "Hand over files or folders and read them."),
    "lookup": ("tocsin.cli.lookup", "What is known of a value."),
    "package": ("tocsin.cli.package", "Make or verify a country's package."),
    "profile": ("tocsin.cli.profile", "Guess and save column maps."),
    "acceptance": ("tocsin.cli.acceptance", "Read a folder of real deliveries and compare with what is expected."),
    "feed": ("tocsin.cli.feed", "Public feeds: list, switch, fetch."),
    "reference": ("tocsin.cli.reference", "Reference data: dates and updates."),
    "lake": ("tocsin.cli.lake", "The store of observations: state, compaction, verification."),
    "reach": ("tocsin.cli.reach", "Who has a delivery or an object, and who may see it."),
    "alert": ("tocsin.cli.alert", "Alerts: their whole life, verifying and exporting what was published."),
    "lab": ("tocsin.cli.lab", "The analysers: measure, fit and compare them with their floors."),
    "seal": ("tocsin.cli.seal", "What the database cannot read: state, sealing, a new key."),
    "purge": ("tocsin.cli.purge", "Purge what is over; show what is due."),
    "clock": ("tocsin.cli.clock", "How late it is: what the machine's clock says, and what is known."),
    "move": ("tocsin.cli.move", "Bring the database into another one, proved equal."),
    "audit": ("tocsin.cli.audit", "The log of acts: search, prove, verify."),
    "person": ("tocsin.cli.people", "People and organisations: create, list, set a password."),
    "work": ("tocsin.cli.serve", "Do waiting work."),
    "serve": ("tocsin.cli.serve", "Serve the portal and do waiting work."),
}
"""Name of the command → module that holds it under the same name, and its line in the help."""


OLD_DATABASE = re.compile(r"no such (table|column)|(relation|column) .* does not exist")


def told(error: InputError) -> str:
    """What was wrong with an input and what to do, and where."""
    where = " ".join(part for part in (error.position, error.field, error.excerpt) if part)
    sentence = REASONS.get(error.reason, error.reason)
    if error.reason == "not-a-setting":
        place = " ".join(part for part in (error.position, error.field) if part)
        return f"{sentence}\n{place}: {error.excerpt}"
    return sentence + (f" ({where})" if where else "")


class Commands(click.Group):
    """Commands are imported when they are called: the first word must answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what a person can mend is told in a sentence, and only our own faults as a traceback."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # Who raised it has found words already, nearer to the matter.
        except InputError as error:
            raise click.ClickException(told(error)) from error
        except Unavailable as error:
            raise click.ClickException(str(error)) from error
        except Exception as error:
            if type(error).__module__ == "django.db.utils" and OLD_DATABASE.search(str(error)):
                raise click.ClickException(
                    "The database was made by another version. Bring it up to date with: tocsin init"
                ) from error
            fault = fault_of(error)
            if fault is not None:
                raise click.ClickException(f"{SENTENCES[fault]}\n({said_by(error)})") from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", type=click.Path(path_type=Path), help="Folder of the installation (TOCSIN_HOME).")
@click.version_option(__version__, prog_name="tocsin")
def main(home: Path | None) -> None:
    """Tocsin, a cybercrime fusion centre: partners' deliveries in, every country's share out."""
    if home is not None:
        os.environ["TOCSIN_HOME"] = str(home.absolute())


def setup(*, need_installation: bool = True, is_moving: bool = False) -> Any:
    """Load Django for the installation at hand and return it; a clear error when there is none, or it is not to be used
    because it is moved, which only `tocsin move` itself may look at."""
    from tocsin.site import installation, occupancy

    found = installation.load()
    if need_installation and not found.is_made:
        raise click.ClickException(f"There is no installation in {found.home}. Create one with: tocsin init")
    if found.is_made and not is_moving:
        try:
            occupancy.share(found.home)
        except occupancy.Occupied as error:
            raise click.ClickException("This installation is being moved to another database. Wait.") from error
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    import django
    from django.apps import apps

    if not apps.ready:  # A second time would take away whoever listens to the log by now.
        with starting():
            django.setup()
    if found.is_made and not is_moving:
        _require_own_database()
    return found


def _require_own_database() -> None:
    """A database that was moved away, or is not proved yet, is used by nobody."""
    from django.db import DatabaseError, InterfaceError

    from tocsin.site.moving import standing

    try:
        refusal = standing.refusal()
    except (DatabaseError, InterfaceError):
        return  # It is not there: whoever needs it will say so.
    if refusal:
        raise click.ClickException(refusal)
