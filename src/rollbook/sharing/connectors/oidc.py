"""OpenID Connect as Authlib speaks it, on Rollbook's tables: who may ask, what a code and a token stand for.

Authlib checks the protocol (client, redirect address, scope, PKCE, prompt); the sharing rule decides what is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Payload, OAuth2Request, grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.core import OpenIDCode, OpenIDToken
from authlib.oidc.rpinitiated import EndSessionEndpoint
from django.http import HttpRequest, HttpResponse

from rollbook.kernel import clock
from rollbook.policy import disclose
from rollbook.sharing.actions import keys, sign_on
from rollbook.sharing.connectors.clever.person import OF_A_PERSON, names
from rollbook.sharing.queries.grants import Withheld
from rollbook.sharing.queries.sign_on import (
    SCOPES,
    Held,
    Relying,
    Seen,
    held,
    relying,
    relying_by_id,
    seen,
)

ID_TOKEN_LIVES = timedelta(minutes=10)
WAYS = ["client_secret_basic", "client_secret_post", "none"]


class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """An app as Authlib asks about it."""

    def __init__(self, to: Relying) -> None:
        self.to = to
        self.client_id = to.client_id
        self.client_metadata = {"post_logout_redirect_uris": list(to.logout_uris)}

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        return None  # it must be said each time, as OpenID Connect wants

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scopes that exist, of those asked for. An OpenID Connect request without `openid` is none."""
        asked = [s for s in dict.fromkeys((scope or "").split()) if s in SCOPES]
        if self.to.protocol == "oidc" and "openid" not in asked:
            return None
        return " ".join(asked)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.to.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return sign_on.knows_secret(self.to, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method == "none") == self.to.public

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass(frozen=True)
class Key:
    """A code or token as Authlib asks about it."""

    held: Held

    @property
    def code_challenge(self) -> str:
        return self.held.challenge

    @property
    def code_challenge_method(self) -> str:
        return "S256"

    def get_redirect_uri(self) -> str:
        return self.held.redirect_uri

    def get_scope(self) -> str:
        return self.held.scopes

    def get_nonce(self) -> str:
        return self.held.nonce

    def get_auth_time(self) -> int:
        return int(self.held.signed_in_at.timestamp())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> list[str]:
        return self.held.amr.split()

    def check_client(self, client: Client) -> bool:
        return self.held.app_id == client.to.app_id

    def is_expired(self) -> bool:
        return not self.held.alive

    def is_revoked(self) -> bool:
        return False  # of a sign-in that has ended nothing is found


@dataclass(frozen=True)
class User:
    """The person whom a code or token is about, as the app may know them now."""

    seen: Seen
    key: Held
    sub: str


class Request(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request to one of the endpoints. Its own address is that of this site, whatever a proxy made of it."""

    def __init__(self, request: HttpRequest, site: str, form: dict[str, str]) -> None:
        super().__init__(request.method, site + request.get_full_path(), headers=request.headers)
        self.site, self.given, self.query = site, form, request.GET
        self.payload = Payload(self)

    @property
    def args(self) -> Any:
        return self.query

    @property
    def form(self) -> dict[str, str]:
        return self.given


class Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    """The parameters of a request: of the query, and of the form."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def data(self) -> dict[str, Any]:
        return {**self.request.query.dict(), **self.request.form}

    @property
    def datalist(self) -> dict[str, list[Any]]:
        lists: dict[str, list[Any]] = {name: list(values) for name, values in self.request.query.lists()}
        for name, value in self.request.form.items():
            lists.setdefault(name, []).append(value)
        return lists


class Pkce(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """S256 alone; an app that cannot keep a secret must use it."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge") and grant.request.client.to.public:
            raise InvalidRequestError("This app keeps no secret, so it must send a code_challenge.")
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        super().validate_code_challenge(grant, redirect_uri)


class _Identity:
    """What an ID token says: for whom and by whom it was made, about whom, and when they signed in. Nothing else:
    the other claims are asked for at /userinfo."""

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        moment = clock.now()
        return {
            "iss": request.site, "aud": request.client.client_id, "iat": int(moment.timestamp()),
            "exp": int((moment + ID_TOKEN_LIVES).timestamp()),
            "auth_time": int(request.user.key.signed_in_at.timestamp()), "amr": request.user.key.amr.split(),
        }  # fmt: skip

    def resolve_client_private_key(self, client: Client) -> Any:
        return keys.signing_key()

    def get_encode_header(self, client: Client) -> dict[str, Any]:
        return {"alg": "RS256", "kid": keys.signing_key().kid}

    def get_client_algorithm(self, client: Client) -> str:
        return "RS256"

    def generate_user_info(self, user: User, scope: str) -> dict[str, Any]:
        return {"sub": user.sub}


class IdOfCode(_Identity, OpenIDCode):  # type: ignore[misc]  # Authlib has no types
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False  # the app checks its own; a code works once


class IdOfRefresh(_Identity, OpenIDToken):  # type: ignore[misc]  # Authlib has no types
    pass


def user_of(key: Held, door: str) -> User | None:
    """The person of a code or token, whom the app is now told of: this is written down first. None when the app gets
    nothing, or not this person."""
    to = relying_by_id(key.app_id)
    try:
        found = seen(key.app_id, key.person)
    except Withheld as withheld:
        sign_on.refused(key.tenant_id, door, withheld.code, withheld.reason, to)
        return None
    disclose(
        found.grant.access, f"sign-in {door}", found.columns(()), [found.person],
        authorised_by=found.grant.rule_id, scope=key.scopes,
    )  # fmt: skip
    return User(found, key, names(found)[0] if to and to.protocol == "clever" else found.sub)


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = WAYS

    def create_authorization_response(self, redirect_uri: str, grant_user: Any) -> Any:
        code, asked = grant_user, self.request.payload
        params = [("code", code), *([("state", asked.state)] if asked.state else [])]
        if self.request.client.to.protocol == "clever":
            params.append(("scope", " ".join(OF_A_PERSON)))
        else:
            params.append(("iss", self.request.site))  # RFC 9207: who answers
        return 302, "", [("Location", add_params_to_uri(redirect_uri, params))]

    def query_authorization_code(self, code: str, client: Client) -> Key | None:
        found = held(code, "code")
        if found is None or found.app_id != client.to.app_id:
            return None
        if found.used:
            sign_on.use_once(found, client.to)  # ends what the first use gave
        return Key(found) if found.alive else None

    def authenticate_user(self, authorization_code: Key) -> User | None:
        key, to = authorization_code.held, self.request.client.to
        return user_of(key, "token") if sign_on.use_once(key, to) else None

    def delete_authorization_code(self, authorization_code: Key) -> None:
        """It stays, marked as used, until a second use can no longer be told from a mistake."""


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = WAYS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Key | None:
        found = held(refresh_token, "refresh")
        if found is None or found.app_id != self.request.client.to.app_id:
            return None
        if found.used:
            sign_on.use_once(found, self.request.client.to)
        return Key(found) if found.alive else None

    def authenticate_user(self, refresh_token: Key) -> User | None:
        if sign_on.use_once(refresh_token.held, self.request.client.to):
            if found := user_of(refresh_token.held, "refresh"):
                return found
        raise InvalidGrantError("This refresh token does not work any more.")

    def revoke_old_credential(self, refresh_token: Key) -> None:
        """It was marked as used before the new one was made."""


def _any(token: str) -> Key | None:
    found = held(token, "access", "refresh")
    return Key(found) if found else None


class Revoke(RevocationEndpoint):  # type: ignore[misc]  # Authlib has no types
    CLIENT_AUTH_METHODS = WAYS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Key | None:
        return _any(token_string)

    def revoke_token(self, token: Key, request: Any) -> None:
        sign_on.end(token.held, request.client.to, because="the app gave its token back")


class Introspect(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib has no types
    CLIENT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

    def query_token(self, token_string: str, token_type_hint: str | None) -> Key | None:
        return _any(token_string)

    def check_permission(self, token: Key, client: Client, request: Any) -> bool:
        return token.check_client(client)

    def introspect_token(self, token: Key) -> dict[str, Any]:
        found, client = user_of(token.held, "introspection"), relying_by_id(token.held.app_id)
        if found is None or client is None:
            return {"active": False}
        return {
            "active": True, "client_id": client.client_id, "scope": token.held.scopes, "sub": found.sub,
            "iat": int(token.held.issued_at.timestamp()), "exp": int(token.held.expires_at.timestamp()),
            "token_type": "Bearer",
        }  # fmt: skip


class EndSession(EndSessionEndpoint):  # type: ignore[misc]  # Authlib has no types
    def get_server_jwks(self) -> dict[str, Any]:
        return {"keys": keys.public_keys()}

    def get_algorithms(self) -> list[str]:
        return ["RS256"]

    def end_session(self, end_session_request: Any) -> None:
        """The page ends the browser's session."""


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Authlib's server without tables of its own."""

    def query_client(self, client_id: str) -> Client | None:
        found = relying(client_id)
        return Client(found) if found and found.protocol in ("oidc", "clever") else None

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> HttpResponse:
        response = HttpResponse(orjson.dumps(body) if isinstance(body, dict) else body, status=status)
        for name, value in headers:
            response[name] = value
        return response

    def generate_token(
        self, grant_type: str, client: Client, user: Any = None, scope: str | None = None, expires_in: Any = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:  # fmt: skip
        """The tokens, which `sign_on` makes and keeps as hashes. A refresh token only for whoever asked for one."""
        wants = user.key.kind == "refresh" or "offline_access" in user.key.scopes.split()
        made = sign_on.give_tokens(user.key, refresh=wants)
        token = {
            "access_token": made.access,
            "token_type": "Bearer",
            "expires_in": made.seconds,
            "scope": scope,
        }
        return {**token, **({"refresh_token": made.refresh} if made.refresh else {})}

    def save_token(self, token: Any, request: Any) -> None:
        """It is kept already."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: what happens is in the audit."""


server = Server()
server.register_grant(CodeGrant, [IdOfCode(), Pkce(required=True)])
server.register_grant(RefreshGrant, [IdOfRefresh()])
for endpoint in (Revoke, Introspect, EndSession):
    server.register_endpoint(endpoint)
