"""Whether something as it came would name a source that does not let itself be named (DOMAIN 2.4, 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Person
from tocsin.handling.leaks import Place, Protected, Scanner, Secret, Text

_ADDRESS = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")


def is_named_to(person: Person, thing: Object) -> bool:
    """Whether the person knows whose it is: the Centre, the source itself, and all whom the source lets know."""
    source, own = thing.delivery.organisation, person.organisation
    return own.is_centre or own.pk == source.pk or thing.batch.handling_set.body.get("attribution") != "must-not"


def names_source(thing: Object, texts: Iterable[str]) -> bool:
    """Whether one of these texts says who handed it over: the name, or where its contact writes from, however that is
    spelled."""
    source = thing.delivery.organisation
    hosts = [found[1] for found in _ADDRESS.finditer(source.contact)]
    protected = [Protected(value, Secret.SOURCE) for value in (source.name, *hosts) if value]
    return bool(Scanner(protected).find(Text(Place("text"), text) for text in texts))
