"""The topic `knowledge` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.knowledge"
    label = "knowledge"
    default_auto_field = "django.db.models.BigAutoField"
