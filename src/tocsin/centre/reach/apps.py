"""The topic `reach` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.reach"
    label = "reach"
    default_auto_field = "django.db.models.BigAutoField"
