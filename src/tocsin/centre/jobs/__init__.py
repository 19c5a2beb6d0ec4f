"""The table queue: work that waits, is claimed under a lease, retried, and never lost."""
