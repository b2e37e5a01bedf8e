"""The doors for apps, one file for each standard."""

from rollbook.sharing.api import clever, oidc, oneroster, scim, token

urlpatterns = [
    *token.urlpatterns, *oidc.urlpatterns, *oneroster.urlpatterns, *clever.urlpatterns, *scim.urlpatterns,
]  # fmt: skip
