"""The topic `members` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.members"
    label = "members"
    default_auto_field = "django.db.models.BigAutoField"
