"""Objects in the reader's language: STIX language-content, for the version that it was made for (STIX 2.1, 7.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import Objects, body_of, referring
from tocsin.lake.moments import one_moment

MOST_READ = 50
TEXT_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Translation:
    """What an object says in another language. Without texts where it was made for another version of the object."""

    by: Object
    name: str = ""
    description: str = ""

    @property
    def is_current(self) -> bool:
        """Whether it may be shown."""
        return bool(self.name or self.description)


def translation_of(among: Objects, thing: Object, language: str) -> Translation | None:
    """The newest of these objects that says in the language what this version of the thing says.

    Where there is one for other versions only, that one, without its texts: what it says may no longer hold.
    """
    outdated = None
    found = referring(among, thing.object_id).filter(type="language-content", revoked=False)
    for each in found.select_related("delivery__organisation").order_by("-version", "-pk")[:MOST_READ]:
        said = _said(each)
        texts = _texts(said, language)
        if said.get("object_ref") != thing.object_id or not any(texts):
            continue
        made_for = one_moment(str(said.get("object_modified") or ""))
        if made_for is not None and made_for == one_moment(thing.version):
            return Translation(each, *texts)
        outdated = outdated or Translation(each)
    return outdated


def _said(thing: Object) -> dict[str, Any]:
    try:
        said = json.loads(body_of(thing).raw)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _texts(said: dict[str, Any], language: str) -> tuple[str, str]:
    """Name and description in the language; of a regional form of it where it stands there in no other."""
    contents = said.get("contents")
    if not isinstance(contents, dict):
        return "", ""
    near = [key for key in sorted(contents) if key.lower().split("-")[0] == language.lower().split("-")[0]]
    fields: dict[str, Any] = next(
        (contents[key] for key in [language, *near] if isinstance(contents.get(key), dict)), {}
    )
    name, description = (fields.get(key, "") for key in ("name", "description"))
    return (
        name[:TEXT_CHARACTERS] if isinstance(name, str) else "",
        description[:TEXT_CHARACTERS] if isinstance(description, str) else "",
    )
