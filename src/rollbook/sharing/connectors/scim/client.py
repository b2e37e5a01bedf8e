"""Keeps accounts at a SCIM 2.0 destination. Requests run side by side over kept connections.

A change is a PATCH of what changed, so that what others keep there stays. Doing a step twice does no harm: what is
there already under our own `externalId` is taken over, what is gone already is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from rollbook.sharing.connectors.destination import Calls, Outcome, Unreachable, Work
from rollbook.sharing.rules.accounts import Record
from rollbook.sharing.rules.pushing import Step, membership

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
JSON = "application/scim+json"
SIDE_BY_SIDE = 4  # more make a small destination slower: measured, 3 ms a write with four, 11 with eight
TRIES = 4
PAGE = 500
MEMBERS = 1000  # in one PATCH
MENDS = {
    400: "The directory does not take these values. Look at the pattern and the person’s details, then try again.",
    409: "An account of this name was made there by somebody else. Rename it there, or change the pattern.",
    404: "The account is not there any more. Make a new plan.",
}


class ScimDestination:
    """A connector for one destination."""

    by_place = False
    at_once = 100

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self.calls = Calls()
        headers = {"accept": JSON}
        if token:
            headers["authorization"] = f"Bearer {token}"
        limits = httpx.Limits(max_connections=4 * SIDE_BY_SIDE, max_keepalive_connections=SIDE_BY_SIDE)
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/", headers=headers, timeout=60, limits=limits, transport=transport
        )
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="scim")

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def taken(self, mine: Set[str]) -> set[str]:
        found: set[str] = set()
        start = 1
        while True:
            query = f"Users?startIndex={start}&count={PAGE}&attributes=userName,externalId"
            answer = self._ask("GET", query)
            if answer.status_code != 200:
                raise Unreachable(_refusal(answer))
            page = answer.json()
            rows = page.get("Resources") or []
            found |= {
                str(r["userName"]).lower()
                for r in rows
                if r.get("userName") and r.get("externalId") not in mine
            }
            start += len(rows)
            if not rows or start > int(page.get("totalResults", 0)):
                return found

    def carry_out(self, work: Sequence[Work], remote_id: Callable[[Any], str]) -> list[Outcome]:
        return list(self._pool.map(lambda w: self._one(w, remote_id), work))

    # ---- One step.

    def _one(self, work: Work, remote_id: Callable[[Any], str]) -> Outcome:
        path = "Users" if work.kind == "user" else "Groups"
        if work.after is None:
            return self._delete(path, work)
        known = [(m, remote_id(m)) for m in work.after.get("members", [])]
        after = dict(work.after)
        if work.kind == "group":
            after["members"] = [
                m for m, there in known if there
            ]  # those whose account could not be made wait
        there = {_hashed(m): i for m, i in known}
        idle = work.kind == "user" and after["state"] != "active"
        if work.before is None or not work.remote_id:
            return Outcome("", after) if idle and work.before else self._create(path, work, after, there)
        operations = (
            _user_patch(work.before, after) if work.kind == "user" else _group_patch(work, after, remote_id)
        )
        if work.password:
            operations = [*operations, [{"op": "replace", "path": "password", "value": work.password}]]
        for batch in operations:
            answer = self._send(
                "PATCH", f"{path}/{quote(work.remote_id)}", {"schemas": [PATCH], "Operations": batch}
            )
            if answer.status_code == 404:  # somebody deleted it there
                return Outcome("", after) if idle else self._create(path, work, after, there)
            if answer.status_code not in (200, 204):
                return _failed(answer)
        return Outcome(work.remote_id, after)

    def _create(self, path: str, work: Work, after: Record, there: Mapping[Any, str]) -> Outcome:
        body = (
            user_body(after, work.password)
            if work.kind == "user"
            else {
                "schemas": [GROUP], "displayName": after["name"], "externalId": work.key,
                "members": [{"value": there[_hashed(m)]} for m in after["members"]],
            }
        )  # fmt: skip
        external = str(body["externalId"])
        answer = self._send("POST", path, body)
        if answer.status_code == 409 or (answer.status_code == 201 and not answer.json().get("id")):
            return self._take_over(path, body, external, answer, after)
        if answer.status_code != 201:
            return _failed(answer)
        return Outcome(str(answer.json()["id"]), after)

    def _take_over(
        self, path: str, body: dict[str, Any], external: str, answer: httpx.Response, after: Record
    ) -> Outcome:
        """What was made before we were cut off bears our external id."""
        found = self._ask("GET", f"{path}?filter={quote(f'externalId eq {orjson.dumps(external).decode()}')}")
        rows = found.json().get("Resources") or [] if found.status_code == 200 else []
        if len(rows) != 1 or rows[0].get("externalId") != external:
            return _failed(answer)
        again = self._send("PUT", f"{path}/{quote(str(rows[0]['id']))}", {**body, "id": rows[0]["id"]})
        return Outcome(str(rows[0]["id"]), after) if again.status_code == 200 else _failed(again)

    def _delete(self, path: str, work: Work) -> Outcome:
        if not work.remote_id:
            return Outcome()
        answer = self._send("DELETE", f"{path}/{quote(work.remote_id)}")
        return Outcome() if answer.status_code in (200, 202, 204, 404) else _failed(answer)

    # ---- HTTP.

    def _send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        self.calls.writes += 1
        return self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request, again after a pause when the destination is busy or the connection broke. Raises Unreachable."""
        content = None if body is None else orjson.dumps(body)
        headers = {"content-type": JSON} if content else {}
        last = ""
        for turn in range(TRIES):
            if turn:
                time.sleep(_pause(last, turn))
            try:
                answer = self._client.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                last = ""
                if turn == TRIES - 1:
                    raise Unreachable(
                        f"The directory does not answer ({type(error).__name__}). Check its address, then carry on."
                    ) from error
                continue
            if answer.status_code in (401, 403) and method != "DELETE":
                raise Unreachable(_refusal(answer))
            if answer.status_code not in (429, 502, 503, 504):
                return answer
            last = answer.headers.get("retry-after", "")
        raise Unreachable("The directory is too busy. Carry on later.")


def _pause(retry_after: str, turn: int) -> float:
    return min(30.0, float(retry_after)) if retry_after.isdigit() else 0.2 * 3**turn


def _refusal(answer: httpx.Response) -> str:
    if answer.status_code in (401, 403):
        return "The directory does not let us in. Renew its token there and enter it here."
    return f"The directory answered {answer.status_code}. Check its address."


def _failed(answer: httpx.Response) -> Outcome:
    try:
        detail = str(answer.json().get("detail") or "")
    except ValueError:
        detail = ""
    said = f"The directory answered {answer.status_code}{f': {detail}' if detail else ''}"
    mend = MENDS.get(answer.status_code, "Try again. If it stays so, ask who runs the directory.")
    return Outcome(error=said[:400], mend=mend)


# ---- Bodies.


def user_body(record: Record, password: str = "") -> dict[str, Any]:
    """A user as the destination should hold it."""
    body = {"schemas": [USER], "externalId": record["external"], **_user_values(record)}
    if password:
        body["password"] = password
    return body


def _user_values(record: Record) -> dict[str, Any]:
    name = {"givenName": record["given"], "familyName": record["family"]}
    values: dict[str, Any] = {
        "userName": record["username"],
        "name": {k: v for k, v in name.items() if v},
        "displayName": record["display"],
        "userType": "archived" if record["state"] == "archived" else record["role"],
        "active": record["state"] == "active",
        "emails": [{"value": record["email"], "type": "work", "primary": True}] if record["email"] else [],
    }
    return {k: v for k, v in values.items() if v not in ("", [], {})}


def _user_patch(before: Record, after: Record) -> list[list[dict[str, Any]]]:
    old, new = _user_values(before), _user_values(after)
    operations = [{"op": "replace", "path": k, "value": new[k]} for k in new if old.get(k) != new[k]] + [
        {"op": "remove", "path": k} for k in old if k not in new
    ]
    return [operations] if operations else []


def _group_patch(work: Work, after: Record, remote_id: Callable[[Any], str]) -> list[list[dict[str, Any]]]:
    before = work.before or {}
    batches: list[list[dict[str, Any]]] = []
    if before.get("name") != after["name"]:
        batches.append([{"op": "replace", "path": "displayName", "value": after["name"]}])
    joined, left = membership(Step("group", work.key, before, after))
    if not after["members"]:
        return [*batches, [{"op": "remove", "path": "members"}]] if left else batches
    gone = [i for i in map(remote_id, left) if i]
    for n in range(0, len(gone), 50):
        some = gone[n : n + 50]
        batches.append([{"op": "remove", "path": f'members[value eq "{i}"]'} for i in some])
    for n in range(0, len(joined), MEMBERS):
        values = [{"value": remote_id(m)} for m in joined[n : n + MEMBERS]]
        batches.append([{"op": "add", "path": "members", "value": values}])
    return batches


def _hashed(ref: Any) -> Any:
    return tuple(ref) if isinstance(ref, list) else ref
