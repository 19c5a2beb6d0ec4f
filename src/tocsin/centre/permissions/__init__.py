"""Asking a source for more than its label allows, and what it permitted (DOMAIN 4.5, 4.7)."""
