"""The sentences of `core.reasons` in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from tocsin.core.reasons import REASONS


def sentence(code: str) -> str:
    """What is wrong and what to do. A code that this version does not know is shown as it is."""
    return gettext(REASONS[code]) if code in REASONS else code
