"""The hash of passwords with the least work: tests sign in a thousand times, and nobody attacks what they keep."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Quick(Argon2PasswordHasher):
    """As the site's, but for its cost; that has a test of its own."""

    time_cost = 1
    memory_cost = 64
    parallelism = 1
