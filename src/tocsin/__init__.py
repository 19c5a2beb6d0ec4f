"""Tocsin: a self-hosted cybercrime fusion centre."""

__version__ = "0.1.0"
