"""`tocsin alert …`: each family of verbs is a module of its own."""

from __future__ import annotations

import importlib
from typing import Final

import click

VERBS: Final[dict[str, tuple[str, str]]] = {
    "keys": ("tocsin.cli.alert_keys", "keys"),
    "verify": ("tocsin.cli.alert_verify", "verify"),
    "renew-site": ("tocsin.cli.alert_site", "renew_site"),
    "export-site": ("tocsin.cli.alert_site", "export_site"),
    "reporting": ("tocsin.cli.alert_reporting", "where_to_report"),
    "list": ("tocsin.cli.alert_acts", "listed"),
    "show": ("tocsin.cli.alert_acts", "show"),
    "start": ("tocsin.cli.alert_acts", "start"),
    "write": ("tocsin.cli.alert_acts", "write"),
    "attach": ("tocsin.cli.alert_acts", "attach"),
    "submit": ("tocsin.cli.alert_acts", "submit"),
    "pass": ("tocsin.cli.alert_acts", "passed"),
    "return": ("tocsin.cli.alert_acts", "returned"),
    "translate": ("tocsin.cli.alert_acts", "translate"),
    "check": ("tocsin.cli.alert_acts", "check"),
    "approve": ("tocsin.cli.alert_acts", "approve"),
    "publish": ("tocsin.cli.alert_acts", "publish"),
    "update": ("tocsin.cli.alert_acts", "update"),
    "cancel": ("tocsin.cli.alert_acts", "cancel"),
    "propose": ("tocsin.cli.alert_acts", "propose"),
    "returned": ("tocsin.cli.alert_returned", "returned"),
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
    """Alerts: verify and export what was published."""
    """Alerts: what people do with them at the desk, and verifying what was published."""
