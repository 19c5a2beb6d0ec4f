"""Settings of the tests: an installation of their own in a temporary folder, the database that the run asks for.

`TOCSIN_TEST_DATABASE` names a PostgreSQL server; without it the tests use SQLite. Each process of a parallel run
has its own folder. A program that a test starts inherits `TOCSIN_HOME` and makes no other.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

if "pytest" in sys.modules:
    _home = tempfile.mkdtemp(prefix="tocsin-test-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["TOCSIN_HOME"] = _home
    os.environ["TOCSIN_DATABASE"] = os.environ.get("TOCSIN_TEST_DATABASE", "")

from tocsin.site.settings import *  # noqa: F403

# Each client of a test begins with a list of all static files, as each server does; looking when one is asked for
# saves a tenth of the time of all tests of pages.
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["tests.quick_hasher.Quick"]

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in an installation: SQLite's shared memory refuses a second thread at once where a file makes it wait.
    # No test cuts the power: waiting for the disk after each step tells nothing. Programs that tests start do wait.
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(Path(os.environ["TOCSIN_HOME"]) / "test.sqlite3")}  # noqa: F405
