"""The door `/scim/v2`: SCIM 2.0 for the school's own directory.

An app of the kind `scim` shows its long-lived token. It reads the people, schools and classes of its sharing rule,
and writes accounts and groups of its own. Errors have SCIM's own shape; PATCH answers 200 with the resource.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any, Union, cast

import orjson
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    ForbiddenException,
    InvalidSyntaxException,
    InvalidValueException,
    ListResponse,
    NotFoundException,
    NotImplementedException,
    PatchOp,
    PreconditionFailedException,
    Resource,
    ResponseParameters,
    SCIMException,
    SearchRequest,
    TooManyException,
    UniquenessException,
)
from scim2_models.path import CompareOperator, Comparison

from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.policy import disclose
from rollbook.sharing.actions import Call, note_call
from rollbook.sharing.actions.scim import name_person, remove, save_group, save_user
from rollbook.sharing.api.common import OVER, NoBearer, note_refusal, of_token, origin, spend
from rollbook.sharing.connectors.scim.resources import (
    CONFIG,
    MODELS,
    MOST,
    PAGE,
    POLICY,
    PROVIDER,
    TYPES,
    User,
)
from rollbook.sharing.connectors.scim.shapes import (
    GROUP_KINDS,
    USER_KINDS,
    Shapes,
    group_fields,
    only_external_id,
    user_fields,
)
from rollbook.sharing.queries import Standing, Withheld, token_standing
from rollbook.sharing.queries.scim import Found, Row, group_rows, groups, named, sees, user_rows, users
from rollbook.sharing.rules import SCIM_SCOPE

log = logging.getLogger(__name__)
PREFIX = "/scim/v2"
JSON = "application/scim+json"
LOOKED_THROUGH = 20_000  # rows that a filter or a sort may have to read
SCHOOLS_OWN = "The school's own records say this. They are changed in its information system."


class _Status(SCIMException):
    """An answer that SCIM has no exception for."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail=detail)
        self.status, self.headers = status, {k.replace("_", "-"): v for k, v in headers.items()}

    def to_error(self) -> Error:
        return Error(status=self.status, detail=self.detail)


@csrf_exempt
def scim(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Everything below /scim/v2."""
    headers: dict[str, str] = {}
    because = ""
    try:
        with PROVIDER:
            return _answer(request, rest.strip("/"))
    except _Status as error:
        found, headers = error.to_error(), error.headers
    except NoBearer as error:
        found, headers = Error(status=429 if error.busy else 401, detail=error.says), error.headers
    except SCIMException as error:
        found = error.to_error()
    except ValidationError as error:
        found = Error.from_validation_error(error.errors()[0])
    except Withheld as withheld:
        found, because = (
            Error(status=403, detail="The school shares nothing with this directory now."),
            withheld.reason,
        )
    except Refused as refused:
        found, because = (
            Error(status=403, detail="The school shares none of this with this directory."),
            str(refused),
        )
    except NotFound:
        found = NotFoundException(detail="There is nothing here for this directory.").to_error()
    except Invalid as error:
        kind = UniquenessException if error.field == "userName" else InvalidValueException
        found = kind(detail=f"{error.what} {error.mend}".strip()).to_error()
    except (SuspiciousOperation, BadRequest):
        found = InvalidSyntaxException(detail="The request cannot be read.").to_error()
    except Exception as error:
        code = secrets.token_hex(4)
        # The type, not the message: a message may hold a person's data.
        log.error("error %s: %s in SCIM %s", code, type(error).__name__, request.method)
        log.debug("error %s", code, exc_info=error)
        found = Error(
            status=500,
            detail=f"Something went wrong here. Try again; if it stays so, tell the school this code: {code}.",
        )
    status = int(found.status or 500)
    if status not in (
        404,
        405,
        409,
        412,
    ):  # what a client learns by asking, or is told so that it can mend it
        note_refusal(
            request, _operation(request, rest), status, because or f"scimType {found.scim_type or 'none'}"
        )
    return _response(found.model_dump(), status, headers)


def _operation(request: HttpRequest, rest: str) -> str:
    """The operation for the record, without ids."""
    first = rest.strip("/").split("/")[0]
    known = ("Users", "Groups", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search", "Bulk", "Me")
    return f"scim {request.method} {first if first in known else 'an unknown address'}"


def _response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    response = HttpResponse(b"" if body is None else orjson.dumps(body), content_type=JSON, status=status)
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def _answer(request: HttpRequest, rest: str) -> HttpResponse:
    parts = rest.split("/") if rest else []
    base = f"{origin(request)}{PREFIX}"
    standing = _signed_in(request)
    if parts and parts[0] in ("ServiceProviderConfig", "ResourceTypes", "Schemas"):
        return _discovery(request, parts, base)
    return _Call(request, standing, base).answer(parts)


def _signed_in(request: HttpRequest) -> Standing:
    """The standing of the token's app. Raises _Status, NoBearer or Withheld."""
    standing = of_token(request, token_standing)
    if SCIM_SCOPE not in standing.scopes:
        raise _Status(
            403,
            "The token is not for SCIM.",
            WWW_Authenticate=f'Bearer realm="rollbook", error="insufficient_scope", scope="{SCIM_SCOPE}"',
        )
    over, budget = spend(standing)
    if over:
        raise _Status(429, OVER, **{name.replace("-", "_"): value for name, value in budget.items()})
    return standing


def _method(request: HttpRequest, *allowed: str) -> None:
    if request.method not in allowed:
        raise _Status(405, f"This address answers {', '.join(allowed)}.", Allow=", ".join(allowed))


# ---- What the service says about itself.


def _discovery(request: HttpRequest, parts: list[str], base: str) -> HttpResponse:
    _method(request, "GET")
    if "filter" in request.GET:
        raise ForbiddenException(detail="What the service says about itself cannot be filtered.")
    here = f"{base}/{parts[0]}"
    if parts == ["ServiceProviderConfig"]:
        return _response(_located(CONFIG, "ServiceProviderConfig", here))
    listed: Any = TYPES if parts[0] == "ResourceTypes" else PROVIDER.schemas
    kind = "ResourceType" if parts[0] == "ResourceTypes" else "Schema"
    shown = {str(r.id): _located(r, kind, f"{here}/{r.id}") for r in listed}
    if len(parts) == 1:
        return _response(
            {
                "schemas": [str(ListResponse.__schema__)], "totalResults": len(shown), "itemsPerPage": len(shown),
                "startIndex": 1, "Resources": list(shown.values()),
            }
        )  # fmt: skip
    if len(parts) != 2 or parts[1] not in shown:
        raise NotFoundException(detail=f"There is no {kind} of this name.")
    return _response(shown[parts[1]])


def _located(resource: Any, kind: str, location: str) -> dict[str, Any]:
    body: dict[str, Any] = resource.model_dump()
    return {**body, "meta": {"resourceType": kind, "location": location}}


# ---- Users and groups.


class _Call:
    """One request about users or groups."""

    def __init__(self, request: HttpRequest, standing: Standing, base: str) -> None:
        self.request, self.standing, self.base = request, standing, base
        self.shapes = Shapes(standing, base)

    def answer(self, parts: list[str]) -> HttpResponse:
        match parts:
            case [] | [".search"]:
                return self.search(["User", "Group"], posted=bool(parts))
            case ["Users" | "Groups" as endpoint]:
                _method(self.request, "GET", "POST")
                kind = endpoint[:-1]
                return self.create(kind) if self.request.method == "POST" else self.search([kind])
            case ["Users" | "Groups" as endpoint, ".search"]:
                return self.search([endpoint[:-1]], posted=True)
            case ["Users" | "Groups" as endpoint, text]:
                _method(self.request, "GET", "PUT", "PATCH", "DELETE")
                return self.one(endpoint[:-1], text)
            case ["Me" | "Bulk"]:
                raise NotImplementedException(detail=f"{parts[0]} is not supported.")
        raise NotFoundException(detail="There is no such address.")

    # -- Reading.

    def read(self, kind: str, rows: list[Row]) -> tuple[list[Any], Found]:
        found = users(self.standing, rows) if kind == "User" else groups(self.standing, rows)
        shape: Callable[[Any], Any] = self.shapes.user if kind == "User" else self.shapes.group
        return [shape(record) for record in found.records], found

    def write_down(self, found: list[Found], door: str) -> None:
        """One row of the disclosure log, durable before the answer leaves; of the audit where nobody of the roster is
        in it (what a directory wrote is in the audit already)."""
        people = {p for f in found for p in f.people}
        if people and self.standing.grant:
            columns = [c for f in found for c in f.columns]
            grant = self.standing.grant
            disclose(
                grant.access, f"scim {door}", columns, people, authorised_by=grant.rule_id, scope=SCIM_SCOPE
            )
        elif door in ("read", "search"):
            who = self.standing
            note_call(Call(who.tenant_id, who.app_id, who.app_name, f"scim {door}", SCIM_SCOPE), 200)

    def search(self, kinds: list[str], posted: bool = False) -> HttpResponse:
        _method(self.request, "POST" if posted else "GET")
        models = [MODELS[k] for k in kinds]
        given = self.body() if posted else {k: v for k, v in self.request.GET.items() if k in _SEARCH}
        model: Any = cast(Any, SearchRequest)[Union[tuple(models)]]  # noqa: UP007  # known only now
        asked = model.model_validate(given)
        rows = [(k, r) for k in kinds for r in self.rows(k, asked.filter)]
        if len(kinds) > 1:
            rows.sort(key=lambda pair: pair[1].kind not in ("own", "group"))  # its own come first here too
        count = PAGE if asked.count is None else min(asked.count, MOST)
        start = asked.start_index_0 or 0
        if asked.filter is None and asked.sort_by is None:
            total = len(rows)
            made, founds = self.resources(rows[start : start + count])
        else:
            if len(rows) > LOOKED_THROUGH:
                raise TooManyException(
                    detail=f"{len(rows):,} resources would have to be read. Filter by userName, or page without a filter."
                )
            everyone, _ = self.resources(rows)
            matching = asked.sort(
                [r for r in everyone.values() if asked.filter is None or asked.filter.match(r)]
            )
            row_of = {id(resource): pair for pair, resource in everyone.items()}
            total = len(matching)
            made, founds = self.resources([row_of[id(r)] for r in matching[start : start + count]])
        self.write_down(founds, "search")
        dumped = [
            r.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked)
            for r in made.values()
        ]
        return _response(
            {
                "schemas": [str(ListResponse.__schema__)], "totalResults": total, "itemsPerPage": len(dumped),
                "startIndex": start + 1, "Resources": dumped,
            }
        )  # fmt: skip

    def resources(self, rows: list[tuple[str, Row]]) -> tuple[dict[tuple[str, Row], Any], list[Found]]:
        """The resources of rows of either kind, in their order. A row that went meanwhile is left out."""
        made: dict[Row, Any] = {}
        founds = []
        for kind in ("User", "Group"):
            mine = [r for k, r in rows if k == kind]
            if mine:
                resources, found = self.read(kind, mine)
                made |= {record.row: r for record, r in zip(found.records, resources, strict=True)}
                founds.append(found)
        return {pair: made[pair[1]] for pair in rows if pair[1] in made}, founds

    def rows(self, kind: str, asked: Any) -> list[Row]:
        """The rows to look through: all, or those with the user name that a filter names."""
        node = asked.ast if asked is not None else None
        if isinstance(node, Comparison) and node.op == CompareOperator.eq and isinstance(node.value, str):
            attribute = str(node.attr_path).rsplit(":", 1)[-1].lower()
            if attribute == "username" and kind == "User" and node.value.isascii():
                return [r for r in named(self.standing, node.value) if sees(self.standing, r)]
            if attribute == "id":
                row = self.shapes.row_of(node.value, USER_KINDS if kind == "User" else GROUP_KINDS)
                return [row] if row and sees(self.standing, row) else []
        return user_rows(self.standing) if kind == "User" else group_rows(self.standing)

    def one(self, kind: str, text: str) -> HttpResponse:
        row = self.shapes.row_of(text, USER_KINDS if kind == "User" else GROUP_KINDS)
        if row is None or not sees(self.standing, row):
            raise NotFoundException(detail=f"There is no {kind} {text} for this directory.")
        resources, found = self.read(kind, [row])
        if not resources:
            raise NotFoundException(detail=f"There is no {kind} {text} for this directory.")
        current = resources[0]
        if self.request.method == "GET":
            if _matches(self.request.META.get("HTTP_IF_NONE_MATCH"), current.meta.version):
                return _response(None, 304, {"ETag": current.meta.version})
            return self.shown(current, found, "read")
        if_match = self.request.META.get("HTTP_IF_MATCH")
        if if_match and not _matches(if_match, current.meta.version):
            raise PreconditionFailedException
        if self.request.method == "DELETE":
            if row.kind not in ("own", "group"):
                raise ForbiddenException(detail=SCHOOLS_OWN)
            remove(self.standing, kind.lower(), row.id)
            return _response(None, 204)
        return self.change(kind, row, current, found)

    def shown(self, resource: Any, found: Found, door: str, status: int = 200) -> HttpResponse:
        given = {k: v for k, v in self.request.GET.items() if k in ("attributes", "excludedAttributes")}
        model = cast(Any, ResponseParameters)[type(resource)]
        asked = model.model_validate(given)
        self.write_down([found], door)
        body = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked)
        headers = {"ETag": resource.meta.version, "Content-Location": str(resource.meta.location)}
        if status == 201:
            headers["Location"] = str(resource.meta.location)
        return _response(body, status, headers)

    # -- Writing.

    def body(self) -> Any:
        kind = (self.request.content_type or "").lower()
        if kind and kind not in (JSON, "application/json"):
            raise _Status(415, f"The body must be {JSON}.")
        try:
            found = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise InvalidSyntaxException(detail="The body is not JSON.") from error
        if not isinstance(found, dict):
            raise InvalidSyntaxException(detail="The body is not a JSON object.")
        return found

    def create(self, kind: str) -> HttpResponse:
        given = MODELS[kind].model_validate(self.body(), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        id_ = self.save(kind, given, None)
        resources, found = self.read(kind, [Row("own" if kind == "User" else "group", id_)])
        return self.shown(resources[0], found, "create", 201)

    def change(self, kind: str, row: Row, current: Resource[Any], found: Found) -> HttpResponse:
        before = current.model_copy(deep=True)
        if self.request.method == "PUT":
            after = MODELS[kind].model_validate(self.body(), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
            changed = after.replace(current)
        else:
            patch = cast(Any, PatchOp)[MODELS[kind]]
            asked = patch.model_validate(self.body(), scim_ctx=Context.RESOURCE_PATCH_REQUEST)
            after, changed = current, asked.patch(current, scim_policy=POLICY)
        if not changed:
            return self.shown(before, found, "change")
        if row.kind == "person":
            if isinstance(before, User) and isinstance(after, User):
                name_person(self.standing, row.id, only_external_id(before, after))
        elif row.kind in ("org", "class"):
            raise ForbiddenException(detail=SCHOOLS_OWN)
        else:
            self.save(kind, after, row.id)
        resources, found = self.read(kind, [row])
        return self.shown(resources[0], found, "change")

    def save(self, kind: str, resource: Any, id_: int | None) -> int:
        if kind == "User":
            return save_user(self.standing, user_fields(resource), id_)
        return save_group(self.standing, group_fields(resource), id_)


_SEARCH = (
    "filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes",
)  # fmt: skip


def _matches(header: str | None, version: str) -> bool:
    """Whether a conditional header names this version. SCIM's tags are weak, so the mark does not count."""
    if not header:
        return False
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or version.removeprefix("W/").strip('"') in tags


urlpatterns = [re_path(rf"^{PREFIX[1:]}(?:/(?P<rest>[\s\S]*))?\Z", scim)]
