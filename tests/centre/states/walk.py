"""Walks a state machine's table: every act in every state, with what follows or why not, and nothing beside it.

A cell says the state that follows, `=` (it is done, and the state stays), `-` (nothing happens and nobody is told off)
or `!why` (it is refused). What is refused leaves every row as it was. What is done has its entry in the log, with who
did it and when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, models, transaction
from tests import people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Person
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.site.labels import ACTIONS

WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Machine:
    """Something that has a state, the acts on it, and how to read its state."""

    name: str
    at: datetime
    """When every act is done."""
    subjects: Mapping[str, Any]
    """State → something that is in it."""
    acts: Mapping[str, Callable[[Any, str], object]]
    """Act → does it to a subject, as somebody (the second column of the table)."""
    state_of: Callable[[Any], str]
    tables: tuple[type[models.Model], ...]
    """What an act that is refused leaves as it was, beside the log."""
    prepares: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)
    """Act → what has to be so before it, beside the state."""
    delayed: frozenset[str] = frozenset()
    """Acts of the clock, which are done at a moment of their own."""
    worldwide: frozenset[str] = frozenset()
    """Of these, those that are done once for all subjects."""


class Cast(dict[str, Person]):
    """People by login, each fetched once: no act of a machine changes them."""

    def __missing__(self, login: str) -> Person:
        found = Person.objects.select_related("organisation__parent", "employer").filter(login=login).first()
        self[login] = found or people.call(login)
        return self[login]


def _read(name: str) -> tuple[list[str], dict[tuple[str, str], dict[str, str]]]:
    text = Path(__file__).with_name(f"{name}_table.txt").read_text()
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    states = lines[0][2:]
    return states, {(words[0], words[1]): dict(zip(states, words[2:], strict=True)) for words in lines[1:]}


def walk(machine: Machine) -> None:
    """Try every pair, and compare with the table as a whole."""
    states, wanted = _read(machine.name)
    assert {act for act, _ in wanted} == set(machine.acts), "an act without a row, or a row without an act"
    assert set(states) == set(machine.subjects), "a state without a column, or a column without a state"
    assert {state: machine.state_of(each) for state, each in machine.subjects.items()} == {s: s for s in states}
    before, last = _rows(machine), _newest()
    got = {}
    for act, who in wanted:
        if act in machine.worldwide:
            got[act, who] = _turned(machine, act, last)
        else:
            got[act, who] = {state: _tried(machine, act, who, state, before, last) for state in states}
    differs = [
        f"{act} by {who} in {state}: {got[act, who][state]} instead of {cell}"
        for (act, who), cells in wanted.items()
        for state, cell in cells.items()
        if got[act, who][state] != cell
    ]
    assert not differs, "\n".join(differs)


def _newest() -> int:
    return Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _turned(machine: Machine, act: str, last: int) -> dict[str, str]:
    """What came of every subject when the clock turned. Afterwards all is as it was."""
    with transaction.atomic():
        machine.acts[act](None, "")
        now = {state: machine.state_of(each) for state, each in machine.subjects.items()}
        entries = Entry.objects.filter(pk__gt=last)
        changed = [state for state in now if now[state] != state]
        assert entries.count() >= len(changed), f"{act}: something changed, and nobody wrote down why"
        transaction.set_rollback(True)
    return {state: "-" if each == state else each for state, each in now.items()}


def _tried(machine: Machine, act: str, who: str, state: str, before: list[Any], last: int) -> str:
    """What came of it. Afterwards all is as it was."""
    subject = machine.subjects[state]
    wrote: list[str] = []

    def watch(execute: Any, sql: str, *told: Any) -> Any:
        if sql.lstrip().startswith(WRITES):
            wrote.append(sql)
        return execute(sql, *told)

    with transaction.atomic():
        if act in machine.prepares:
            machine.prepares[act](subject)
            before = _rows(machine)
        with connection.execute_wrapper(watch):
            refused = _refusal(lambda: machine.acts[act](subject, who))
        if refused:
            assert not wrote or _rows(machine) == before, f"{act} in {state}: half work stays"
            cell = f"!{refused}"
        else:
            cell = _done(machine, subject, state, act, who, last)
        transaction.set_rollback(True)
    return cell


def _refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except Refused as refused:
        return refused.remedy.split()[0] if " " in refused.rule else refused.rule
    except InputError as error:
        return error.reason
    except Conflict:
        return "conflict"
    except NotFound:
        return "not-found"
    return ""


def _done(machine: Machine, subject: Any, state: str, act: str, who: str, last: int) -> str:
    entries = list(Entry.objects.filter(pk__gt=last).order_by("pk"))
    now = machine.state_of(subject)
    if not entries:
        assert now == state, f"{act} in {state}: it is {now} now, and nobody wrote down why"
        return "-"
    assert {each.action for each in entries} <= set(ACTIONS)
    if act not in machine.delayed:
        assert who in {each.actor for each in entries}, f"{act} in {state}: the log does not say who"
        assert {each.at for each in entries} == {machine.at}, f"{act} in {state}: the log does not say when"
    if now != state:
        return now
    return "-" if act in machine.delayed else "="  # The clock turns for all subjects at once.


def _rows(machine: Machine) -> list[Any]:
    return [list(table._default_manager.order_by("pk").values()) for table in (*machine.tables, Entry)]
