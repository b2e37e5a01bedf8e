from django.apps import AppConfig


class LearningConfig(AppConfig):
    name = "rollbook.learning"
    label = "learning"

    def ready(self) -> None:
        from rollbook.learning import queries  # noqa: F401  # says which of its rows the relationships reach
