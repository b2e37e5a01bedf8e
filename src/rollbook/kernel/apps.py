from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "rollbook.kernel"
    label = "kernel"

    def ready(self) -> None:
        from rollbook.kernel import db  # noqa: F401  # registers the `any` lookup
