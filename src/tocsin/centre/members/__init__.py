"""Organisations, people, keys, and the handling sets that bind what they hand over."""
