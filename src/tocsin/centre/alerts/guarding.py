"""What must stand in no alert: looked for before the law passes it, and before anybody but the Centre reads it."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.core.errors import Refused
from tocsin.handling.attribution import attributions_to_a_state
from tocsin.products.alerts.draft import texts_of

from .models import Version
from .selectors import content_of


@dataclass
class StateNamed(Refused):
    """A text puts the deed down to a State (W17). Nobody can waive it."""

    found: tuple[tuple[str, str, str], ...] = ()
    """Language, field, the words."""


def require_lawful(version: Version) -> None:
    """Raises StateNamed where a text in any language attributes the deed to a State."""
    draft = content_of(version)
    said = [(draft.language, draft.texts)]
    said += [(each.language, texts_of(each.content)) for each in version.translations.all()]
    found = tuple(
        (language, name, words)
        for language, texts in said
        for name, passage in texts.passages()
        for words in attributions_to_a_state(passage)
    )
    if found:
        raise StateNamed("alert-state-named", found=found)
