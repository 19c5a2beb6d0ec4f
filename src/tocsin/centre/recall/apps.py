"""The topic `recall` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.recall"
    label = "recall"
    default_auto_field = "django.db.models.BigAutoField"
