"""What opens the files of observations, and who asks them: data keys like all others, wrapped by the installation's.

One key for the lake, from which that of each file follows. The registry says which file is sealed by which.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from django.conf import settings
from django.db.models import QuerySet

from tocsin.lake.engine import Engine, engine_at
from tocsin.lake.keys import Keys
from tocsin.lake.scope import Snapshot

from . import vault
from .models import LakeFile
from .services import store_folder

ABOUT = "lake"
"""What the lake's key is about."""


def snapshot_of(found: QuerySet[LakeFile]) -> Snapshot:
    """These files, for whoever asks them. Raises KeyMissing where one of them cannot be opened: an answer without it
    would be taken for the whole."""
    rows = list(found.values_list("path", "sealed_by"))
    store = store_folder()
    keys = Keys(_opened(number for _, number in rows), seals=False)
    return Snapshot(tuple(store / path for path, _ in rows), keys, engine())


@cache
def engine() -> Engine:
    """What asks the lake, by the settings. One for all: a cluster is not begun for each question."""
    installation = settings.INSTALLATION
    return engine_at(
        installation.engine, installation.engine_key_file, installation.engine_options,
        installation.engine_least_megabytes << 20,
    )  # fmt: skip


def all_keys() -> Keys:
    """What opens every file, and seals new ones unless the installation says otherwise; made where there is none."""
    numbers: list[int | None] = list(LakeFile.objects.order_by().values_list("sealed_by", flat=True).distinct())
    known = _opened(vault.held(number for number in numbers if number is not None))
    if not settings.INSTALLATION.seal_observations:
        return Keys(known, seals=False)
    now = vault.key_for(ABOUT)
    return Keys(((now.number, now.secret), *(each for each in known if each[0] != now.number)))


def _opened(numbers: Iterable[int | None]) -> tuple[tuple[int, bytes], ...]:
    wanted = sorted({number for number in numbers if number is not None})
    return tuple((number, vault.opening_key(number).secret) for number in wanted)
