"""The topic `ledger` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
