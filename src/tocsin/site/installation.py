"""Where an installation lives and what its settings file says.

`TOCSIN_HOME` names the folder (default: `tocsin-data` in the working directory). It holds `tocsin.toml`, the
SQLite database, the store and the keys. Every line of the settings file can be moved to a larger engine alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tocsin.core.errors import InputError
from tocsin.credentials import leaked
from tocsin.lake.buckets import Mount
from tocsin.lake.engine import require_address
from tocsin.transport.mailing import Relay
from tocsin.transport.objects import object_store

from .mail_settings import relay_of

SECRET_SIGNS = 43
"""256 bits, as `tocsin init` writes them and more."""
DEFAULT_FOLDER = "tocsin-data"
SECOND_FACTOR = ("offered", "centre", "everyone")
"""Who must have a second factor: nobody, the people of the Centre, everybody."""
FROM_ENVIRONMENT = ("TOCSIN_DATABASE", "TOCSIN_ENGINE")
"""Variables that stand before the lines of the same name."""
LIMITS = {
    "person_lookups": 3_000, "person_downloads": 600, "person_requests": 9_000,
    "key_lookups": 100_000, "key_downloads": 6_000, "key_requests": 90_000,
    "organisation_deliveries": 20_000, "organisation_megabytes": 200_000,
    "organisation_uploads": 16, "organisation_waiting": 50_000, "organisation_waiting_megabytes": 200_000,
    "machine_waiting": 500_000, "machine_memory_megabytes": 256,
}  # fmt: skip
"""How much each person, key and organisation may ask for in a quarter of an hour, what of an organisation may be under
way and wait to be read, what may wait in all, and how much memory must be left; 0: without limit."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The settings of one installation."""

    home: Path
    database: str = ""
    """`sqlite:` (default: the file beside the settings) or a `postgresql://user@host/name` address."""
    store: str = ""
    """Folder of deliveries and observations; default: `store` beside the settings."""
    lake: str = ""
    """Where observations lie: empty, in the store; else a bucket, `s3://bucket/prefix?endpoint=https://host`."""
    lake_access: str = ""
    """File with the access key and the secret key of the bucket; default: `lake-access` in the folder of the keys."""
    lake_copies_megabytes: int = 20_480
    """How much of what lies in a bucket may be copied to this machine, in all."""
    secret: str = "not-installed"  # noqa: S105 - replaced by `tocsin init` with a random one.
    organisation: str = "Tocsin"
    public_origin: str = "http://127.0.0.1:8000"
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    languages: tuple[str, ...] = ("en", "fr", "es", "ar")
    upload_limit_bytes: int = 4 << 30
    workers: int = 2
    second_place: str = ""
    """Folder on another machine or medium that gets the signed checkpoints of the log; empty: none."""
    second_factor: str = "offered"
    """Who must have a second factor; a word of SECOND_FACTOR. Where `public_origin` is https and the settings say
    nothing, everybody."""
    key_days: int = 365
    """Longest life of a key for programs."""
    client_certificate_header: str = ""
    """Header in which the proxy hands on the certificate that a client showed; empty: no certificate is believed."""
    inner_providers: bool = False
    """Whether an organisation's provider of sign-in may lie at an address of one's own network."""
    inner_webhooks: bool = False
    """Whether what a subscriber's server or browser is told may go to an address of one's own network."""
    mail: Relay | None = None
    """Where mail is handed in; None: none is sent."""
    leaked_passwords: str = ""
    """File of passwords that leaked, absolute or beside the settings; empty: none."""
    scanner: str = ""
    """Where clamd listens, `/path/of/socket` or `host:port`; empty: nothing is scanned."""
    keys: str = ""
    """Folder of the keys; default: `keys` beside the settings. $NAME stands for a variable of the environment."""
    seal_observations: bool = True
    """Whether files of observations are sealed; not where an own cluster reads them and encrypts its disks itself."""
    engine: str = ""
    """Who asks the lake and reads large deliveries: empty, this machine; else the address of a Spark."""
    engine_key: str = ""
    """File of the key that seals what a cluster is told; default: `engine-key` in the folder of the keys."""
    engine_options: Mapping[str, str] = field(default_factory=dict)
    """Settings of Spark, handed on as they are."""
    engine_least_megabytes: int = 256
    """Below so much of the lake a question is answered here although a cluster is set; 0: never."""
    limits: Mapping[str, int] = field(default_factory=lambda: dict(LIMITS))
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def store_folder(self) -> Path:
        return Path(self.store) if self.store else self.home / "store"

    @property
    def keys_folder(self) -> Path:
        """Raises InputError where the folder that the settings name is not there: other keys would be made."""
        if not self.keys:
            return self.home / "keys"
        folder = Path(os.path.expandvars(self.keys))
        if not folder.is_absolute() or not folder.is_dir():
            excerpt = f"{self.keys} is no folder here"
            raise InputError("not-a-setting", position="tocsin.toml", field="keys", excerpt=excerpt)
        return folder

    @property
    def engine_key_file(self) -> Path:
        return Path(os.path.expandvars(self.engine_key)) if self.engine_key else self.keys_folder / "engine-key"

    @property
    def lake_mount(self) -> Mount | None:
        """What stands behind the folder of observations. Raises InputError where its keys cannot be read."""
        if not self.lake:
            return None
        path = Path(os.path.expandvars(self.lake_access)) if self.lake_access else self.keys_folder / "lake-access"
        try:
            found = path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            excerpt = f"{path} cannot be read: two lines, the access key and the secret key of the bucket"
            raise InputError("invalid-object", position="tocsin.toml", field="lake_access", excerpt=excerpt) from error
        bucket = object_store(self.lake, found)
        return Mount(self.store_folder / "observations", bucket, "observations", self.lake_copies_megabytes << 20)

    @property
    def leaked_list(self) -> Path | None:
        return self.home / self.leaked_passwords if self.leaked_passwords else None

    @property
    def workers_file(self) -> Path:
        """Where `tocsin serve` says how its workers fare."""
        return self.home / "workers.json"

    @property
    def is_made(self) -> bool:
        return (self.home / "tocsin.toml").exists()


def home_folder() -> Path:
    """The installation's folder by the environment, made absolute; it need not exist."""
    return Path(os.environ.get("TOCSIN_HOME", DEFAULT_FOLDER)).expanduser().absolute()


def load(home: Path | None = None) -> Installation:
    """The installation at `home`; one with default settings where none was made yet."""
    folder = home or home_folder()
    said = _said_in(folder / "tocsin.toml")
    try:
        return _made_of(folder, said)
    except InputError as error:
        raise located(error, folder) from error


def located(error: InputError, folder: Path) -> InputError:
    """The same with the line of the settings that it is about, or the variable that stands before it."""
    variable = f"TOCSIN_{error.field.upper()}"
    if error.position != "tocsin.toml":
        return error
    if variable in FROM_ENVIRONMENT and variable in os.environ:
        return replace(error, position=f"{variable} in the environment,")
    with contextlib.suppress(OSError):
        name = error.field.rpartition(".")[2]
        for number, line in enumerate((folder / "tocsin.toml").read_text(encoding="utf-8").splitlines(), start=1):
            if name in {line.partition("=")[0].strip(" \t\"'"), line.strip(" \t[]")}:
                return replace(error, position=f"tocsin.toml, line {number},")
    return error


def _said_in(path: Path) -> dict[str, Any]:
    """What the file says. Raises InputError for what is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("not-a-setting", position="tocsin.toml", excerpt=f"it is not TOML: {error}") from error


def _made_of(folder: Path, said: dict[str, Any]) -> Installation:
    database = os.environ.get("TOCSIN_DATABASE", said.get("database", ""))
    if said.get("leaked_passwords"):
        leaked.require_list(folder / str(said["leaked_passwords"]))
    return Installation(
        home=folder,
        database=database,
        store=said.get("store", ""),
        lake=os.environ.get("TOCSIN_LAKE", str(said.get("lake", ""))),
        lake_access=str(said.get("lake_access", "")),
        lake_copies_megabytes=int(said.get("lake_copies_megabytes", 20_480)),
        secret=_secret(said, folder),
        organisation=said.get("organisation", "Tocsin"),
        public_origin=said.get("public_origin", "http://127.0.0.1:8000"),
        allowed_hosts=tuple(said.get("allowed_hosts", ("127.0.0.1", "localhost", "[::1]"))),
        upload_limit_bytes=_count("upload_limit_bytes", said.get("upload_limit_bytes", 4 << 30), least=1),
        workers=_count("workers", said.get("workers", 2)),
        second_place=said.get("second_place", ""),
        second_factor=_one_of(SECOND_FACTOR, "second_factor", said.get("second_factor", _usual_factor(said))),
        client_certificate_header=str(said.get("client_certificate_header", "")),
        key_days=_count("key_days", said.get("key_days", 365), least=1),
        inner_providers=_yes_or_no("inner_providers", said.get("inner_providers", False)),
        inner_webhooks=_yes_or_no("inner_webhooks", said.get("inner_webhooks", False)),
        mail=relay_of(said.get("mail"), folder),
        scanner=str(said.get("scanner", "")),
        keys=str(said.get("keys", "")),
        seal_observations=_yes_or_no("seal_observations", said.get("seal_observations", True)),
        leaked_passwords=str(said.get("leaked_passwords", "")),
        engine=_engine(os.environ.get("TOCSIN_ENGINE", said.get("engine", ""))),
        engine_key=str(said.get("engine_key", "")),
        engine_options=_options(said.get("engine_options", {})),
        engine_least_megabytes=int(said.get("engine_least_megabytes", 256)),
        limits=_limits(said.get("limits", {})),
    )


def _secret(said: Mapping[str, object], folder: Path) -> str:
    """The secret that signs forms and sessions, or what the file holds that is named for it. Raises InputError."""
    named = str(said.get("secret_file", ""))
    if not named:
        return str(said.get("secret", "not-installed"))
    path = folder / os.path.expandvars(named)
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("not-a-setting", position="tocsin.toml", field="secret_file", excerpt=named) from error
    if len(found) < SECRET_SIGNS:
        excerpt = f"fewer than {SECRET_SIGNS} signs"
        raise InputError("not-a-setting", position="tocsin.toml", field="secret_file", excerpt=excerpt)
    return found


def _limits(said: object) -> dict[str, int]:
    """All limits; a misspelt one must not quietly be none. Raises InputError."""
    if not isinstance(said, dict):
        raise InputError("not-a-setting", position="tocsin.toml", field="limits", excerpt=f"{said}, not a table")
    for name, number in said.items():
        if name not in LIMITS:
            raise InputError(
                "not-a-setting",
                position="tocsin.toml",
                field=f"limits.{name}",
                excerpt=f"unknown; there are {', '.join(LIMITS)}",
            )
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            excerpt = f"{number}, not a whole number"
            raise InputError("not-a-setting", position="tocsin.toml", field=f"limits.{name}", excerpt=excerpt)
    return LIMITS | said


def _engine(said: object) -> str:
    """The address; "embedded" is the same as saying nothing. Raises InputError."""
    address = "" if said == "embedded" else str(said)
    require_address(address)
    return address


def _options(said: object) -> dict[str, str]:
    """What Spark is to be told, as it writes it itself. Raises InputError."""
    if not isinstance(said, dict):
        excerpt = f"{said}, not a table"
        raise InputError("not-a-setting", position="tocsin.toml", field="engine_options", excerpt=excerpt)
    for name in said:
        if not name.startswith("spark."):
            excerpt = "not a setting of Spark"
            raise InputError("not-a-setting", position="tocsin.toml", field=f"engine_options.{name}", excerpt=excerpt)
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in said.items()}


def _usual_factor(said: Mapping[str, object]) -> str:
    """Where people come in from outside, a password alone opens nothing unless the settings say so."""
    return "everyone" if str(said.get("public_origin", "")).startswith("https:") else "offered"


def _one_of(words: tuple[str, ...], name: str, said: object) -> str:
    """The word; a misspelt rule must not quietly mean that there is none. Raises InputError."""
    if said not in words:
        raise InputError(
            "not-a-setting", position="tocsin.toml", field=name, excerpt=f"{said}, not {' or '.join(words)}"
        )
    return str(said)


def _count(name: str, said: object, least: int = 0) -> int:
    """The number. Raises InputError."""
    if not isinstance(said, int) or isinstance(said, bool) or said < least:
        excerpt = f"{said}, not a whole number from {least} on"
        raise InputError("not-a-setting", position="tocsin.toml", field=name, excerpt=excerpt)
    return said


def _yes_or_no(name: str, said: object) -> bool:
    """The answer; "false" in quotes must not quietly mean yes. Raises InputError."""
    if not isinstance(said, bool):
        raise InputError("not-a-setting", position="tocsin.toml", field=name, excerpt=f"{said}, not true or false")
    return said


def make(home: Path, *, organisation: str = "Tocsin") -> Installation:
    """Write the settings file of a new installation with a fresh secret; leaves an existing one as it is."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "tocsin.toml"
    if not path.exists():
        text = (
            "# Settings of this Tocsin installation. Each line can be changed alone; restart afterwards.\n"
            f"organisation = {organisation!r}\n"
            f'secret = "{secrets.token_urlsafe(48)}"\n'
            '# database = "postgresql://tocsin@/tocsin"   # default: SQLite beside this file\n'
            '# store = "/srv/tocsin"                      # default: the folder "store" beside this file\n'
            '# lake = "s3://bucket/prefix?endpoint=https://host"  # observations; default: the folder of the store\n'
            '# second_place = "/mnt/other/tocsin"         # gets the signed checkpoints of the log\n'
            '# second_factor = "everyone"                 # must have one; or "centre", "offered"\n'
            '# engine = "spark://master:7077"            # asks the lake; default: this machine\n'
            "# key_days = 365                             # longest life of a key for programs\n"
            "# inner_providers = true                     # providers of sign-in may lie in your own network\n"
            '# public_origin = "https://tocsin.example"\n'
            '# allowed_hosts = ["tocsin.example"]\n'
        )
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return load(home)
