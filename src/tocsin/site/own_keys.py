"""Whether every file of the folder `keys` is the one that this database was made with: asked before a port opens."""

from __future__ import annotations

from datetime import datetime

from tocsin.centre.audit import keys
from tocsin.centre.intake import vault
from tocsin.centre.members.models import CodeApp, Provider
from tocsin.centre.retention.models import SealedCopy
from tocsin.centre.rights.models import SealedAct
from tocsin.credentials import content_keys, load_or_make, sealing
from tocsin.credentials.content_keys import KeyMissing

_SEALED_SHORT = (
    CodeApp.objects.all(),
    Provider.objects.exclude(sealed=""),
    SealedCopy.objects.filter(destroyed_at=None),
    SealedAct.objects.all(),
)
"""What is sealed with `sealing-key`: where there is some, the file cannot be one that was never made."""


def faults() -> dict[str, str]:
    """File → what is wrong with it, where it is expected and what to do; nothing where all is right."""
    found = keys.faults()
    path = keys.folder() / sealing.FILE
    if sealing.FILE not in found and not path.exists() and any(each.all().exists() for each in _SEALED_SHORT):
        found[sealing.FILE] = keys.told(path, is_there=False)
    if fault := vault.fault():
        found[content_keys.FILE] = fault
    return found


def require(organisation: str, at: datetime) -> None:
    """Raises KeyMissing, which names every file that is missing or another's. From here on the others are known."""
    if found := faults():
        raise KeyMissing("\n".join(f"{each}." for each in found.values()))
    keys.sealing_key()
    load_or_make(keys.folder(), organisation)
    for name in keys.NUMBERS:
        keys.adopt(name, at)


def give_up(name: str, at: datetime) -> None:
    """Go on without a file that is lost for good: what it opened stays closed. Raises KeyError where it is right."""
    del faults()[name]
    if name == content_keys.FILE:
        vault.give_up(at)
    else:
        keys.give_up(name, at)
