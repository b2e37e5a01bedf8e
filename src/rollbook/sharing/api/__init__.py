"""The doors for apps, one file for each standard."""

from rollbook.sharing.api import (
    clever,
    clever_sign_in,
    duties,
    grades,
    launch,
    lti,
    oidc,
    oneroster,
    saml,
    scim,
    token,
)

urlpatterns = [
    *token.urlpatterns, *oidc.urlpatterns, *oneroster.urlpatterns, *clever_sign_in.urlpatterns, *clever.urlpatterns,
    *scim.urlpatterns, *launch.urlpatterns, *saml.urlpatterns, *lti.urlpatterns, *duties.urlpatterns,
    *grades.urlpatterns,
]  # fmt: skip
