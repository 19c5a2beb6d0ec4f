"""`tocsin alert …`: each family of verbs is a module of its own."""

from __future__ import annotations

import importlib
from typing import Final

import click

VERBS: Final[dict[str, tuple[str, str]]] = {
    "keys": ("tocsin.cli.alert_keys", "keys"),
    "verify": ("tocsin.cli.alert_verify", "verify"),
}
"""Verb → the module and the name of its command."""


class _Verbs(click.Group):
    """Imported when they are called: to verify a file, nothing else is loaded."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, name = VERBS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Verbs)
def alert() -> None:
    """Alerts: verify what was published."""
