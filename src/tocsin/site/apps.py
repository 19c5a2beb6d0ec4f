from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.site"
    label = "site"
