from django.apps import AppConfig


class SharingConfig(AppConfig):
    name = "rollbook.sharing"
    label = "sharing"

    def ready(self) -> None:
        from rollbook.sharing.queries import reach  # noqa: F401  # registers the relationship "shared"
