"""Columns whose content the database cannot read: sealed on the way in, opened on the way out.

A value that was read carries its sealed form with it, so that saving a row writes what was there. What cannot be opened
is empty to whoever reads it, and still whole in the database. A column is text to the database as before.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.db import models

from tocsin.credentials.content_keys import KeyMissing

log = logging.getLogger(__name__)
NOTES = "notes"
"""What the key of people's own words belongs to."""


class Opened(str):
    """A text that was sealed."""

    sealed: str

    def __new__(cls, plain: str, sealed: str) -> Opened:
        made = super().__new__(cls, plain)
        made.sealed = sealed
        return made


class _UnopenedList(list[Any]):
    sealed: dict[str, str]


class _UnopenedDict(dict[str, Any]):
    sealed: dict[str, str]


class SealedColumn:
    """What both kinds of columns share. `always` names the foreign key whose key seals (or `self`);
    without it only what was given sealed is sealed."""

    model: type[models.Model]
    attname: str
    plain_kind: str

    def __init__(self, *args: Any, always: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.always = always

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """As a column of its plain kind: what is sealed is no matter of the table's shape."""
        name, _, args, options = super().deconstruct()  # type: ignore[misc]
        return name, f"django.db.models.{self.plain_kind}", args, options

    def about(self) -> str:
        """What is said under the seal, so that a text opens in its own column alone."""
        return f"{self.model._meta.db_table}.{self.attname}"

    def owner_of(self, row: models.Model) -> str:
        """What the key belongs to: `batch:17000`."""
        if self.always == "self":
            return f"{row._meta.model_name}:{row.pk}"
        return f"{self.always}:{getattr(row, f'{self.always}_id')}"


class SealedTextField(SealedColumn, models.TextField):  # type: ignore[type-arg]
    """A text."""

    plain_kind = "TextField"

    def unsealed(self) -> models.Q:
        """What finds the rows that say something in the clear."""
        return ~models.Q(**{f"{self.attname}__startswith": "sealed:"}) & ~models.Q(**{self.attname: ""})

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        from . import vault

        if value is None or not vault.is_sealed(value):
            return value
        try:
            plain = vault.opened_text(value, self.about())
        except KeyMissing as error:
            log.critical("%s", error)
            plain = ""
        return value if plain == value else Opened(plain, value)

    def get_prep_value(self, value: Any) -> Any:
        """Its sealed form, where it has one."""
        return value.sealed if isinstance(value, Opened) else super().get_prep_value(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Seal what is to be sealed always."""
        from . import vault

        value = getattr(model_instance, self.attname)
        if self.always and value and not isinstance(value, Opened):
            value = self.sealed(value, vault.key_for(self.owner_of(model_instance)))
            setattr(model_instance, self.attname, value)
        return value

    def sealed(self, plain: str, key: Any) -> str:
        """The text with its sealed form, as a row may hold it."""
        from . import vault

        return Opened(plain, vault.sealed_text(key, plain, self.about())) if plain else ""


class SealedWordsField(SealedTextField):
    """What people write about what was handed over, in which its values may stand: sealed always, by one key for all.

    It is sealed wherever it is written, also by `update`, which no row passes through.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "always": NOTES})

    def owner_of(self, row: models.Model) -> str:
        """One key: these words outlive what they are about, without people's data (W05)."""
        return NOTES

    def get_prep_value(self, value: Any) -> Any:
        """Its sealed form; of no words, none."""
        if isinstance(value, str) and value and not isinstance(value, Opened):
            return sealed_words(value, self.about())
        return super().get_prep_value(value)


def sealed_words(text: str, about: str) -> str:
    """What somebody wrote, as it may stand in a table that knows nothing of seals."""
    from . import vault

    return vault.sealed_text(vault.key_for(NOTES), text, about)


def opened_words(text: str, about: str) -> str:
    """The words; nothing where they cannot be opened."""
    from . import vault

    try:
        return vault.opened_text(text, about)
    except KeyMissing as error:
        log.critical("%s", error)
        return ""


class SealedJSONField(SealedColumn, models.JSONField):
    """A value of JSON, always sealed as a whole."""

    plain_kind = "JSONField"

    def unsealed(self) -> models.Q:
        """What finds the rows that say something in the clear."""
        return ~models.Q(**{f"{self.attname}__has_key": "sealed"}) & ~models.Q(**{f"{self.attname}__in": [[], {}]})

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        from . import vault

        held = super().from_db_value(value, expression, connection)
        if not isinstance(held, dict) or list(held) != ["sealed"] or not vault.is_sealed(str(held["sealed"])):
            return held
        try:
            return orjson.loads(vault.opened_text(held["sealed"], self.about()))
        except KeyMissing as error:
            log.critical("%s", error)
        empty = _UnopenedList() if self.default is list else _UnopenedDict()
        empty.sealed = held
        return empty

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Seal it anew; what could not be opened stays as it was."""
        from . import vault

        value = getattr(model_instance, self.attname)
        if isinstance(value, _UnopenedList | _UnopenedDict):
            return value.sealed
        if not value:
            return value
        return self.sealed(value, vault.key_for(self.owner_of(model_instance)))

    def sealed(self, plain: Any, key: Any) -> dict[str, str]:
        """As it lies in the database."""
        from . import vault

        return {"sealed": vault.sealed_text(key, orjson.dumps(plain).decode(), self.about())}
