"""What a cluster is told and what it answers, sealed: keys, people's questions and rows pass through it in no log.

A cluster keeps what it is handed: in plans, logs of events, files between two steps. So all of it is sealed with a key
that lies in a file on each of its machines and is handed to nobody. Whoever has that key may tell a worker what to do.
"""

from __future__ import annotations

import os
import pickle
import secrets
from pathlib import Path
from typing import Any

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tocsin.credentials.content_keys import KeyMissing

KEY_BYTES, NONCE_BYTES = 32, 12
KEY_VARIABLE = "TOCSIN_ENGINE_KEY"
"""On a worker: where the file of the key lies, if not where it lies for who asks."""
ORDER, ANSWER = b"tocsin order", b"tocsin answer"
MOST_BYTES = 4 << 30


def made_key(path: Path) -> bytes:
    """The key in the file; a new one where there is none yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
        try:
            os.link(fresh, path)  # Of two that begin at once one wins, whole.
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return key_in(path)


def key_in(path: Path) -> bytes:
    """The key in the file. Raises KeyMissing."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise KeyMissing(f"the key of the engine is not in {path} on {os.uname().nodename}") from error
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"what lies in {path} on {os.uname().nodename} is no key of the engine")
    return key


def key_of_worker(told: str) -> bytes:
    """The key on a machine of the cluster. `told` is where the one who asks has it."""
    return key_in(Path(os.environ.get(KEY_VARIABLE) or told))


def sealed(value: Any, key: bytes, kind: bytes) -> bytes:
    """A value that nobody without the key reads or changes."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    body = zstandard.compress(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), 1)
    return nonce + AESGCM(key).encrypt(nonce, body, kind)


def opened(body: bytes, key: bytes, kind: bytes) -> Any:
    """What was sealed as this kind with this key. Raises KeyMissing for anything else."""
    try:
        plain = AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], kind)
    except (InvalidTag, ValueError) as error:
        raise KeyMissing("this was sealed with another key of the engine, or changed on its way") from error
    # Whoever sealed it has the key: it is not read from strangers.
    return pickle.loads(zstandard.decompress(plain, max_output_size=MOST_BYTES))  # noqa: S301
