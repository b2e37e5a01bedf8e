"""The doors for apps, one file for each standard."""

from rollbook.sharing.api import clever, oneroster, scim, token

urlpatterns = [*token.urlpatterns, *oneroster.urlpatterns, *clever.urlpatterns, *scim.urlpatterns]
