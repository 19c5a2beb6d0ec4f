"""A provider that others made, as a process of its own: allauth's `idp.oidc`, with its pages to sign in.

`python -m tests.allauth_provider FOLDER PORT REDIRECT` serves one person, `pia_partner`, to one client.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import socket
from urllib.error import URLError
from urllib.request import urlopen

CLIENT, SECRET, LOGIN, PASSWORD = "tocsin", "known-to-both.sides~", "pia_partner", "hers at the provider"
STARTS_WITHIN_SECONDS = 60


@contextmanager
def running(folder: Path, redirect: str) -> Iterator[str]:
    """The provider's address, as long as it runs."""
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = [sys.executable, "-m", "tests.allauth_provider", str(folder), str(port), redirect]
    origin = f"http://127.0.0.1:{port}"
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(said, cwd=Path(__file__).parents[1], stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(origin, process, folder)
            yield origin
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(origin: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urlopen(f"{origin}/.well-known/openid-configuration", timeout=5).close()
            return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError((folder / "provider.log").read_text())


def _configure(folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from django.conf import settings

    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    settings.configure(
        DEBUG=False, SECRET_KEY="of the provider", ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.allauth_provider_urls",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "provider.sqlite3")}},
        INSTALLED_APPS=[
            "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages",
            "allauth", "allauth.account", "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware", "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
            "OPTIONS": {"context_processors": [
                "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]},
        }],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_COOKIE_NAME="provider-session", CSRF_COOKIE_NAME="provider-csrf",  # One host, two ports: one jar.
        ACCOUNT_EMAIL_VERIFICATION="none", IDP_OIDC_PRIVATE_KEY=key.decode(), USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )  # fmt: skip


def _fill(redirect: str) -> None:
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.create_user(LOGIN, f"{LOGIN}@northwind.example", PASSWORD)
    client = Client(id=CLIENT, name="Tocsin", scopes="openid\nprofile\nemail", redirect_uris=redirect)
    client.set_secret(SECRET)
    client.save()


def main() -> None:
    """Serve until ended."""
    from wsgiref.simple_server import make_server

    folder, port, redirect = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _configure(folder)
    import django
    from django.core.wsgi import get_wsgi_application

    django.setup(set_prefix=False)
    _fill(redirect)
    make_server("127.0.0.1", port, get_wsgi_application()).serve_forever()


if __name__ == "__main__":
    main()
