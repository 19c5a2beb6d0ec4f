"""The topic `permissions` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.permissions"
    label = "permissions"
    default_auto_field = "django.db.models.BigAutoField"
