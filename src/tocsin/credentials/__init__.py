"""Keys and signatures of an installation: what lets others check offline who made a file."""

from .keys import SigningKey, key_id, load_or_make, verify

__all__ = ["SigningKey", "key_id", "load_or_make", "verify"]
