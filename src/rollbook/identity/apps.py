from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "rollbook.identity"
    label = "identity"
