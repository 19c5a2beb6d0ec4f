"""The topic `release` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.release"
    label = "release"
    default_auto_field = "django.db.models.BigAutoField"
