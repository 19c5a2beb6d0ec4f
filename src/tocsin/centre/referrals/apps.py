"""The topic `referrals` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.referrals"
    label = "referrals"
    default_auto_field = "django.db.models.BigAutoField"
