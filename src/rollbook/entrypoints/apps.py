from django.apps import AppConfig


class EntrypointsConfig(AppConfig):
    name = "rollbook.entrypoints"
    label = "entrypoints"

    def ready(self) -> None:
        """Last of all apps: every column is declared and every profile compiles, or nothing starts."""
        from rollbook.policy import all_bundles

        all_bundles()
