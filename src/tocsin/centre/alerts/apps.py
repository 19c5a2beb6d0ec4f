"""The topic `alerts` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.alerts"
    label = "alerts"
    default_auto_field = "django.db.models.BigAutoField"
