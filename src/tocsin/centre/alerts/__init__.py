"""Alerts: from a draft through four people to both editions, updated and cancelled (SM-3)."""
