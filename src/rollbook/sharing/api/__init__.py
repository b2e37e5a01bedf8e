"""The doors for apps, one file for each standard."""

from rollbook.sharing.api import oneroster, scim, token

urlpatterns = [*token.urlpatterns, *oneroster.urlpatterns, *scim.urlpatterns]
