"""Redacted versions: a delivery of the same source, made of parts of another with something taken out (DOMAIN 4.5)."""
