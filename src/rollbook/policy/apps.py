from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class PolicyConfig(AppConfig):
    name = "rollbook.policy"
    label = "policy"

    def ready(self) -> None:
        pre_migrate.connect(_before, sender=self)
        post_migrate.connect(_after, sender=self)


def _before(plan: Any = (), **_: Any) -> None:
    """Policies hold the columns they name: the second wall comes down for a migration, and lets nobody in meanwhile."""
    if plan:
        from rollbook.policy import walls

        walls.take_down()


def _after(using: str = "default", plan: Any = None, **_: Any) -> None:
    """The second wall goes up when the schema is whole. (Emptying the tables sends the signal without a plan.)"""
    if plan is None:
        return
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections[using])
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        from rollbook.policy import walls

        walls.install()
