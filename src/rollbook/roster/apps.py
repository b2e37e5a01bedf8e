from django.apps import AppConfig


class RosterConfig(AppConfig):
    name = "rollbook.roster"
    label = "roster"

    def ready(self) -> None:
        from rollbook.roster import queries  # noqa: F401  # registers the relationships
