"""The topic `audit` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
