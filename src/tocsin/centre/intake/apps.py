"""The topic `intake` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.intake"
    label = "intake"
    default_auto_field = "django.db.models.BigAutoField"
