"""The topic `analysis` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.analysis"
    label = "analysis"
    default_auto_field = "django.db.models.BigAutoField"
