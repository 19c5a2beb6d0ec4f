"""The topic `retention` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.retention"
    label = "retention"
    default_auto_field = "django.db.models.BigAutoField"
