"""What happened, when, by whom: append-only, in the same transaction as the act."""
