"""`migrate`, which makes the tables of an empty database at once, as the models describe them.

Taking each change of the past in turn works out all models anew for every one of them and costs nine seconds of a
processor. A database that has tables is brought up to date by them, as ever; tests/centre/test_upgrades.py shows that
both ways end with the same tables.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.commands import migrate
from django.core.management.sql import emit_post_migrate_signal
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from tocsin.site import second_wall

PARTLY = ("app_label", "plan", "check_unapplied", "fake", "fake_initial", "prune")
"""What asks for something else than all tables."""


class Command(migrate.Command):
    """Bring the database up to date."""

    def handle(self, *arguments: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        connection.prepare_database()
        if any(options[each] for each in PARTLY) or connection.introspection.table_names():
            super().handle(*arguments, **options)
            if not any(options[each] for each in PARTLY):
                second_wall.build(connection)
            return
        make_tables(connection)
        second_wall.build(connection)
        emit_post_migrate_signal(options["verbosity"], options["interactive"], connection.alias, stdout=self.stdout)


def make_tables(connection: BaseDatabaseWrapper) -> None:
    """All tables of the installed applications, and every migration noted as done; all of it or nothing."""
    done = MigrationRecorder.Migration
    models: list[type[Model]] = [*apps.get_models(), done]
    with connection.schema_editor() as editor:
        for model in models:
            if model._meta.can_migrate(connection):
                editor.create_model(model)
        found = sorted(MigrationLoader(None).graph.nodes)
        done._default_manager.using(connection.alias).bulk_create(done(app=app, name=name) for app, name in found)
