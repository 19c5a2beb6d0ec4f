"""The topic `redaction` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.redaction"
    label = "redaction"
    default_auto_field = "django.db.models.BigAutoField"
