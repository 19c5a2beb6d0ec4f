"""Fixtures that every test may use, and what decides which tests a run can hold."""

from __future__ import annotations

import gc
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.template.base import Template
from django.test import TransactionTestCase
from django.test.utils import _TestState, instrumented_test_render
from django.utils import translation
from hypothesis import settings

from tests import object_store
from tocsin.centre.clock import services as clock
from tocsin.centre.intake import pressure
from tocsin.centre.members import allowances, limits

gc.disable()
"""Until all is collected, which stays to the end."""

# Machines are shared and noisy: how long an example takes says nothing here. The bench measures.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")

HERE = Path(__file__).resolve().parent
ORDER = (
    "journeys/test_accessibility.py",
    "faults/test_killed.py",
    "faults",
    "journeys",
    "golden",
    "engines",
    "doors",
    "centre",
)
"""Processes share the files of tests: the long ones come first, so that none waits for another at the end."""
LATE = ("engines/test_spark.py", "faults/test_moved_demonstration.py")
"""What Spark needs may still be on its way. Small files follow, to fill the end."""
NO_DATABASE = ("pure", "engines", "golden", "journeys")
"""Folders of which nothing runs in the second pass. Reading them takes each process longer than many tests."""


def chromium() -> str | None:
    """The distribution's browser; none is downloaded."""
    named = os.environ.get("TOCSIN_TEST_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _touches_database(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db") or {"db", "transactional_db", "live_server"}.intersection(names))


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(HERE).as_posix() if item.path.is_relative_to(HERE) else ""
    if name in LATE:
        return len(ORDER)
    return next((place for place, start in enumerate(ORDER) if name.startswith(start)), len(ORDER) + 1)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """On PostgreSQL: what no database matters to, and what a browser shows of any."""
    is_left_out = collection_path.parent == HERE and collection_path.name in NO_DATABASE
    return True if is_left_out and os.environ.get("TOCSIN_TEST_DATABASE") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what touches the database in a way of its own; browser tests only where there is a browser."""
    if os.environ.get("TOCSIN_TEST_DATABASE"):
        kept = [item for item in items if _touches_database(item) and not item.get_closest_marker("any_database")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
    items.sort(key=_place)
    if chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="there is no Chromium on this machine"))


def pytest_collection_finish() -> None:
    """What was collected lives to the end: nobody has to look for garbage in thousands of tests again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody shall take a run for whole in which something was left out."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()))
    if reasons:
        terminalreporter.write_sep("#", "NOT RUN", yellow=True, bold=True)
        for reason, tests in sorted(reasons.items()):
            terminalreporter.write_line(f"{tests} of the tests: {reason.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """pytest-playwright drives the distribution's Chromium; as root it must give up its own sandbox."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": chromium(), "args": arguments}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real deliveries beside the checkout; the test is skipped where it is absent."""
    folder = HERE.parents[1] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real deliveries are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_store.Store]:
    """A real object store, started for the first test that asks for it; each test has a prefix of its own in it."""
    if why_not := object_store.missing():
        pytest.skip(f"in a bucket: {why_not}")
    made = object_store.Store(tmp_path_factory.mktemp("objects") / "store")
    yield made
    made.stop()


UNREAD = {"django_content_type", "auth_permission"}
"""What Django fills for every database, and nobody here reads."""


def _empty(case: TransactionTestCase) -> None:
    """Delete what is there. Django would empty every table, full or not, and fill two of them again."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} - UNREAD
    asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in sorted(tables))
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(asked)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {name}")


@pytest.fixture(scope="session", autouse=True)
def quickly_emptied() -> Iterator[None]:
    """What tests with transactions of their own leave is deleted, not whole tables thrown away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def rendered_as_ever(django_test_environment: None) -> Iterator[None]:
    """Pages are rendered as in an installation: Django's test client would keep a copy of every context of every
    template, a tenth of the work of all tests of pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "_render", _TestState.saved_data.template_render)
        yield


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who look at what a page was made from: `response.context`."""
    monkeypatch.setattr(Template, "_render", instrumented_test_render)


@pytest.fixture(autouse=True)
def nothing_left_over() -> Iterator[None]:
    """Neither the language of the last reader nor what people of the same number asked for, nor what was known of the
    time and of the queue, reaches the next test."""
    yield
    translation.deactivate()
    limits._counts.clear()
    allowances._noted.clear()
    pressure.forget()
    clock._known = None
