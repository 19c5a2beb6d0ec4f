"""The seven-step scale of likelihood and the three grades of confidence, which never stand in one sentence."""

from __future__ import annotations

LIKELIHOODS = {
    "almost-no-chance": 0, "very-unlikely": 5, "unlikely": 20, "roughly-even": 45, "likely": 55, "very-likely": 80,
    "almost-certain": 95,
}  # fmt: skip
"""Word → the lower bound of its step in percent (estimative language of MISP)."""
CONFIDENCES = ("low", "moderate", "high")
