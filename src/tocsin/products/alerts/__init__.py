"""Alerts: one record, from which each edition's outputs are made. Pure: what is published, and how it is written."""
