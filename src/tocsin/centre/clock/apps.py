"""The topic `clock` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.clock"
    label = "clock"
    default_auto_field = "django.db.models.BigAutoField"
