"""`tocsin alert list | show | propose | start | write | attach | submit | pass | return | translate | check | approve |
publish | update | cancel`: what people do with alerts at the desk, from a shell.

Each act is done in the name of a person, with that person's abilities and nobody else's: by a key in TOCSIN_KEY where
people come in, else as the login that the machine's operator names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.core.reasons import REASONS
from tocsin.products.text_safety import visible

from . import setup
from .readers import reader

if TYPE_CHECKING:
    from tocsin.centre.alerts.models import Version
    from tocsin.centre.members.models import Person

SHOWN = 50
_AS = click.option("--as", "login", default="", help="Do it as this person.")
_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _person(login: str, scope: str = "read") -> Person:
    """Who acts. What is done changes what others read, so nobody acts unnamed."""
    from tocsin.centre.members.models import Person

    found = _by_key(scope, login)
    if found is None and login:
        found = Person.objects.select_related("organisation").filter(login=login, is_active=True).first()
    if found is None:
        raise click.ClickException("Say who acts: --as LOGIN, or a key in TOCSIN_KEY.")
    return found


def _by_key(scope: str, login: str) -> Person | None:
    """The owner of the key, whether he works on alerts or reads them."""
    try:
        return reader("read-alerts", scope, login)
    except click.ClickException:
        return reader("read", scope, login)


@contextmanager
def _answered() -> Iterator[None]:
    """What a rule says no to, as a sentence, with what was found and where, and never the value."""
    try:
        yield
    except Refused as refused:
        places = "".join(f"\n  {language or '-'} {where}: {why}" for language, where, why in _places(refused))
        raise click.ClickException(REASONS.get(refused.rule, refused.rule) + places) from None
    except InputError as error:
        where = " ".join(part for part in (error.field, error.position) if part)
        raise click.ClickException(f"{where}: {REASONS.get(error.reason, error.reason)} {error.excerpt}") from None
    except NotFound:
        raise click.ClickException("There is no such alert, or you may not see it.") from None
    except Conflict as error:
        raise click.ClickException(str(error) or "Somebody else was there first. Read it anew.") from None


def _places(refused: Refused) -> tuple[tuple[str, str, str], ...]:
    found: tuple[tuple[str, str, str], ...] = getattr(refused, "places", ()) or getattr(refused, "found", ())
    return found


def _newest(person: Person, reference: str) -> Version:
    from tocsin.centre.alerts.selectors import alert_for, newest

    return newest(alert_for(person, reference))


def _line(version: Version) -> dict[str, Any]:
    from tocsin.centre.alerts.rules import missing_languages
    from tocsin.centre.alerts.selectors import content_of, facts_of

    draft = content_of(version)
    return {
        "alert": str(version.alert), "reference": version.alert.reference, "version": version.number,
        "revision": version.revision, "type": version.alert.type, "state": version.state, "title": draft.texts.title,
        "expires": version.expires_at or draft.expires, "exercise": version.alert.is_exercise,
        "languages_missing": list(missing_languages(facts_of(version))),
    }  # fmt: skip


def _said(rows: list[dict[str, Any]], *, as_json: bool, is_list: bool = True) -> None:
    if as_json:
        click.echo(json.dumps(rows if is_list else rows[0], default=str, ensure_ascii=False, indent=2))
        return
    for row in rows:
        title = visible(str(row["title"])) if row.get("title") else "(no title)"
        click.echo(f"{row['alert']} v{row['version']}  {row['state']}  {title}")


@click.command("list")
@_AS
@click.option("--state", default="", help="Only those whose newest version is in this state.")
@_JSON
def listed(login: str, state: str, as_json: bool) -> None:
    """Alerts, the newest first; outside of the Centre, the police editions that came."""
    setup()
    from django.utils import timezone

    from tocsin.centre.alerts import received
    from tocsin.centre.alerts.selectors import alerts_for, newest

    person = _person(login)
    if person.organisation.is_centre:
        found = [newest(each) for each in alerts_for(person)[:SHOWN]]
        rows = [_line(each) for each in found if not state or each.state == state]
    else:
        rows = []
        for version in received.received_by(person, timezone.now())[:SHOWN]:
            read = received.read_by(person, version, person.language, timezone.now())
            row = {"alert": str(version.alert), "version": version.number, "state": version.state}
            rows.append({**row, "title": read.text.title, "exercise": version.alert.is_exercise})
    _said(rows, as_json=as_json)


@click.command("show")
@click.argument("reference")
@_AS
@_JSON
def show(reference: str, login: str, as_json: bool) -> None:
    """One alert: where it stands, and its steps; outside of the Centre, its police edition."""
    setup()
    from django.utils import timezone

    from tocsin.centre.alerts import received

    person, now = _person(login), timezone.now()
    with _answered():
        if not person.organisation.is_centre:
            version = received.received(person, reference, now)
            body = received.as_json(received.read_by(person, version, person.language, now))
            click.echo(json.dumps(body, default=str, ensure_ascii=False, indent=2))
            return
        version = _newest(person, reference)
    row = _line(version)
    steps = version.steps.select_related("by").order_by("pk")
    row["steps"] = [
        {"act": each.act, "to": each.to_state, "by": each.by.login if each.by else "", "at": each.at} for each in steps
    ]  # fmt: skip
    if as_json:
        from tocsin.centre.alerts.selectors import content_of
        from tocsin.products.alerts.draft import to_json

        row["content"] = to_json(content_of(version))
    _said([row], as_json=as_json, is_list=False)
    for step in [] if as_json else row["steps"]:
        click.echo(f"  {step['at']:%Y-%m-%d %H:%M}Z  {step['act']} → {step['to']}  {step['by']}")


@click.command("start")
@click.argument("source", default="")
@_AS
@click.option("--file", "content", type=click.File("rb"), help="A draft as JSON, instead of a finding.")
@click.option("--exercise", is_flag=True)
@_JSON
def start(source: str, login: str, content: Any, exercise: bool, as_json: bool) -> None:
    """Begin one from a finding: delivery:RECEIPT, object:7, value:198.51.100.9, family:FR:Emotet, hit:3."""
    setup()
    from django.utils import timezone

    from tocsin.centre.alerts import beginning, services
    from tocsin.products.alerts.draft import draft_of

    person = _person(login, "alerts")
    if bool(source) == bool(content):
        raise click.UsageError("Name what it begins from, or a file with a draft.")
    with _answered():
        if content:
            draft = draft_of(_json_of(content))
            made = services.start(by=person, draft=draft, at=timezone.now(), is_exercise=exercise)
        else:
            try:
                made = beginning.begin(source, by=person, at=timezone.now(), is_exercise=exercise)
            except NotFound:
                raise click.ClickException(f"Nothing is known of {source} that you may see.") from None
    _said([_line(made)], as_json=as_json, is_list=False)


@click.command("write")
@click.argument("reference")
@click.argument("content", type=click.File("rb"))
@_AS
@click.option("--base", type=int, required=True, help="The revision that was read.")
@_JSON
def write(reference: str, content: Any, login: str, base: int, as_json: bool) -> None:
    """Write what a draft says, over the revision that was read: nothing of somebody else's is lost."""

    def act(version: Version, person: Person, now: Any) -> Version:
        from tocsin.centre.alerts import services

        return services.write(version, _json_of(content), base=base, by=person, at=now)

    _acted(reference, login, as_json, act)


@click.command("attach")
@click.argument("reference")
@click.argument("file", type=click.File("rb"))
@_AS
@click.option("--title", required=True, help="What the document is, in the language of the draft.")
@click.option("--public", "is_public", is_flag=True, help="Everybody may read it; else the police alone.")
@click.option("--base", type=int, required=True, help="The revision that was read.")
@_JSON
def attach(
    reference: str, file: Any, login: str, title: str, is_public: bool, base: int, as_json: bool
) -> None:  # fmt: skip
    """Put a PDF document beside a draft. It is made anew from what its pages show."""

    def act(version: Version, person: Person, now: Any) -> Version:
        from tocsin.centre.alerts import attaching

        chunks = iter(lambda: file.read(1 << 20), b"")
        return attaching.attach_annex(
            version, chunks, file.name, title=title, is_public=is_public, base=base, by=person, at=now
        )

    _acted(reference, login, as_json, act)


def _json_of(file: Any) -> Mapping[str, Any]:
    try:
        said = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"This is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise click.ClickException("An object is expected: the fields of a draft.")
    return said


def _acted(reference: str, login: str, as_json: bool, act: Callable[[Version, Person, Any], Any]) -> None:
    setup()
    from django.utils import timezone

    from tocsin.centre.alerts.models import Version as Row

    person = _person(login, "alerts")
    with _answered():
        done = act(_newest(person, reference), person, timezone.now())
    version = done if isinstance(done, Row) else _newest(person, reference)
    _said([_line(version)], as_json=as_json, is_list=False)


def _verb(name: str, help_text: str, act: Callable[[Version, Person, Any], Any]) -> click.Command:
    @click.command(name, help=help_text)
    @click.argument("reference")
    @_AS
    @_JSON
    def command(reference: str, login: str, as_json: bool) -> None:
        _acted(reference, login, as_json, act)

    return command


def _submitted(version: Version, person: Person, now: Any) -> Any:
    from tocsin.centre.alerts import services

    return services.submit(version, by=person, at=now)


def _passed(version: Version, person: Person, now: Any) -> Any:
    """The review in which it waits."""
    from tocsin.centre.alerts import services
    from tocsin.centre.alerts.rules import State

    if version.state == State.LEGAL:
        return services.pass_legal(version, by=person, at=now)
    return services.pass_quality(version, by=person, at=now)


def _approved(version: Version, person: Person, now: Any) -> Any:
    from tocsin.centre.alerts import publishing

    return publishing.approve(version, by=person, at=now)


def _published(version: Version, person: Person, now: Any) -> Any:
    from tocsin.centre.alerts import publishing

    return publishing.publish_public(version, by=person, at=now)


def _updated(version: Version, person: Person, now: Any) -> Any:
    from tocsin.centre.alerts import services
    from tocsin.centre.alerts.selectors import standing

    return services.update(standing(version.alert) or version, by=person, at=now)


submit = _verb("submit", "Hand a draft in for its reviews.", _submitted)
passed = _verb("pass", "Pass the review in which it waits: quality, then law.", _passed)
approve = _verb("approve", "Let it go: to the police first, a prevention message to everybody.", _approved)
publish = _verb("publish", "Let the public read it.", _published)
update = _verb("update", "Begin the next version of what is published.", _updated)


@click.command("return")
@click.argument("reference")
@_AS
@click.option("--reason", required=True, help="What has to be otherwise; its author reads it.")
@_JSON
def returned(reference: str, login: str, reason: str, as_json: bool) -> None:
    """Give it back to its author."""

    def act(version: Version, person: Person, now: Any) -> Any:
        from tocsin.centre.alerts import services

        return services.send_back(version, reason=reason, by=person, at=now)

    _acted(reference, login, as_json, act)


@click.command("translate")
@click.argument("reference")
@click.argument("language")
@click.argument("content", type=click.File("rb"))
@_AS
@click.option("--made", type=click.Choice(["human", "machine"]), default="human", show_default=True)
@click.option("--base", type=int, default=0, help="The revision of the translation that was read; 0: there is none.")
@_JSON
def translate(reference: str, language: str, content: Any, login: str, made: str, base: int, as_json: bool) -> None:
    """Write its words in another language, from a file with the fields of its texts as JSON."""

    def act(version: Version, person: Person, now: Any) -> None:
        from tocsin.centre.alerts import services
        from tocsin.products.alerts.record import Made

        services.translate(version, language, _json_of(content), base=base, made=Made(made), by=person, at=now)

    _acted(reference, login, as_json, act)


@click.command("check")
@click.argument("reference")
@click.argument("language")
@_AS
@_JSON
def check(reference: str, language: str, login: str, as_json: bool) -> None:
    """Say that a translation, which somebody else made, is right."""

    def act(version: Version, person: Person, now: Any) -> None:
        from tocsin.centre.alerts import services

        found = version.translations.filter(language=language).first()
        if found is None:
            raise NotFound
        services.check(found, by=person, at=now)

    _acted(reference, login, as_json, act)


@click.command("cancel")
@click.argument("reference")
@_AS
@click.option("--reason", "reasons", multiple=True, help="LANGUAGE=TEXT, once for each of en, fr, es and ar.")
@click.option("--confirm", is_flag=True, help="Confirm what another person asked for.")
@_JSON
def cancel(reference: str, login: str, reasons: tuple[str, ...], confirm: bool, as_json: bool) -> None:
    """Ask that it is cancelled, with the reason as the public will read it; a second person confirms it."""
    if bool(reasons) == confirm:
        raise click.UsageError("Give a reason in each language, or --confirm.")

    def act(version: Version, person: Person, now: Any) -> Any:
        from tocsin.centre.alerts import publishing
        from tocsin.centre.alerts.selectors import standing

        stands = standing(version.alert) or version
        if confirm:
            return publishing.confirm_cancel(stands, by=person, at=now)
        said = dict(each.partition("=")[::2] for each in reasons)
        return publishing.ask_cancel(stands, said, by=person, at=now)

    _acted(reference, login, as_json, act)


@click.command("propose")
@click.argument("content", type=click.File("rb"))
@_AS
@click.option("--note", default="", help="For who reads it at the Centre.")
@_JSON
def propose(content: Any, login: str, note: str, as_json: bool) -> None:
    """Propose an alert to the Centre, which alone issues: a file with the fields of a draft as JSON."""
    setup()
    from django.utils import timezone

    from tocsin.centre.alerts import proposing

    person = _person(login, "deliver")
    with _answered():
        made = proposing.propose(by=person, content=_json_of(content), note=note, at=timezone.now())
    said = {"reference": made.reference, "state": made.state}
    click.echo(json.dumps(said) if as_json else f"{made.reference}  {made.state}")
