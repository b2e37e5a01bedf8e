"""Every door of the site, by the module that opens it."""

from __future__ import annotations

from django.urls import include, path

DOORS = (
    "rollbook.entrypoints.health",
    "rollbook.sharing.api",
    "rollbook.identity.pages",
    "rollbook.roster.pages",
    "rollbook.learning.pages",
    "rollbook.sharing.pages",
    "rollbook.entrypoints.pages",
)
urlpatterns = [path("", include(module)) for module in DOORS]
