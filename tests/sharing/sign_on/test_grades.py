"""LTI assignment and grade services: a tool made with pylti1p3 sends a score and reads it back; line items, scores and
results one by one; and everybody who is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.exception import LtiException
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem as ToolItem

from rollbook.kernel import clock
from rollbook.learning.models import LineItem, Result
from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.roster.models import Class, Enrollment, Person
from rollbook.sharing import agree, create_app, share, stop
from rollbook.sharing.actions.sign_on import set_sign_on
from rollbook.sharing.models import Agreement
from rollbook.sharing.rules import RESULTS, seal
from tests.sharing.sign_on.conftest import Yard, cookie, signed_in_pupil
from tests.sharing.sign_on.test_lti import DETAILS, LAUNCH, Tool, ask, assertion, begin, message, token
from tests.sharing.sign_on.test_lti import lti as lti
from tests.sharing.sign_on.test_lti import tool as tool

ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ITEM, READ, SCORE, RESULT = (
    f"{SCOPE}{s}" for s in ("lineitem", "lineitem.readonly", "score", "result.readonly")
)
ITEM_JSON = "application/vnd.ims.lis.v2.lineitem+json"
SCORE_JSON = "application/vnd.ims.lis.v1.score+json"
NAMED = [{"field": f"users.{f}", "reason": "To greet"} for f in ("givenName", "familyName")]
SENT = {"field": RESULTS, "reason": "So that the teacher sees how it went"}


def let(lti: Yard, people: Any = "all") -> None:
    """The school lets the app send results."""
    share(lti.made.app, {"people": people, "fields": [*NAMED, SENT]})


def claim(lti: Yard, **which: Any) -> dict[str, Any]:
    told = message(ask(lti, begin(lti, **which)))
    return dict(told.get(ENDPOINT, {}))


@dataclass
class Book:
    """The gradebook of Kestrels as the app's own server asks it."""

    lti: Yard
    url: str
    bearer: str

    def ask(self, verb: str, path: str, body: Any = None, kind: str = ITEM_JSON, **query: str) -> Any:
        url = urlsplit(path or self.url)
        headers = {"authorization": f"Bearer {self.bearer}"}
        if verb == "GET":
            where = f"{url.path}?{url.query}" if url.query else url.path
            return Client().get(where, query or None, headers=headers, HTTP_HOST="localhost")
        text = body if isinstance(body, str) else json.dumps(body)
        return Client().generic(verb, url.path, text, kind, headers=headers, HTTP_HOST="localhost")

    def add(self, label: str = "Number lines", **more: Any) -> dict[str, Any]:
        answer = self.ask("POST", "", {"label": label, "scoreMaximum": 10, **more})
        assert answer.status_code == 201, answer.content
        assert answer["Content-Type"] == ITEM_JSON
        return dict(answer.json())

    def score(self, item: str, who: Person, **changed: Any) -> Any:
        said = {
            "userId": self.code(who), "timestamp": clock.now().isoformat(), "scoreGiven": 7, "scoreMaximum": 10,
            "activityProgress": "Completed", "gradingProgress": "FullyGraded", **changed,
        }  # fmt: skip
        said = {k: v for k, v in said.items() if v is not None}
        return self.ask("POST", f"{item}/scores", said, SCORE_JSON)

    def results(self, item: str, **query: str) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"{item}/results", **query)
        assert answer.status_code == 200, answer.content
        return list(answer.json())

    def code(self, who: Person) -> str:
        [code] = seal(bytes.fromhex(self.lti.made.app.id_key), "person", [who.id])
        return code


@pytest.fixture
def book(lti: Yard) -> Book:
    let(lti)
    made = token(lti, assertion(lti), scope=f"{ITEM} {SCORE} {RESULT}").json()["access_token"]
    return Book(lti, claim(lti)["lineitems"], made)


def kept() -> list[tuple[str, float | None]]:
    with unguarded("a test looks at what is kept"):
        rows = Result.objects.filter(status="active").order_by("id")
        return [(r.person.given_name, r.score) for r in rows]


def written(verb: str) -> list[Any]:
    with unguarded("a test reads the audit"):
        return list(Audit.objects.filter(verb=verb).order_by("id"))


def disclosed() -> list[Any]:
    with unguarded("a test reads the log"):
        return list(Disclosure.objects.filter(door="lti results").order_by("id"))


# ---- With a library.


@pytest.mark.slow
@pytest.mark.commitment("CLEV-1.20")
def test_pylti1p3_makes_a_line_item_sends_a_score_and_reads_it_back(tool: Tool) -> None:
    with pytest.raises(LtiException):
        tool.launched("/launch/numberyard").get_ags()  # "all" does not let an app send results
    let(tool.yard)
    launch = tool.launched("/launch/numberyard")
    ada = next(m["user_id"] for m in launch.get_nrps().get_members() if m["given_name"] == "Ada")
    book = launch.get_ags()
    item = book.find_or_create_lineitem(
        ToolItem().set_tag("lines").set_label("Number lines").set_score_maximum(20)
    )
    assert book.find_lineitem_by_tag("lines").get_id() == item.get_id()
    grade = Grade().set_score_given(7).set_score_maximum(10).set_user_id(ada).set_comment("Nearly")
    grade.set_timestamp(clock.now().strftime("%Y-%m-%dT%H:%M:%S+0000"))
    grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")
    book.put_grade(grade, item)
    [got] = book.get_grades(item)
    assert (got["userId"], got["resultScore"], got["resultMaximum"], got["comment"]) == (
        ada,
        14,
        20,
        "Nearly",
    )
    assert got["scoreOf"] == item.get_id()
    assert kept() == [("Ada", 7)]
    assert [(d.people_count, d.scope) for d in disclosed()] == [(1, "result.readonly")]
    [line] = written("learning.score_received")
    assert (line.actor_kind, line.actor, line.object) == ("app", "Numberyard", "Number lines")
    assert line.object_id == tool.yard.cast.ada.id and "7" not in json.dumps(
        {**line.details, "at": "", "line_item": 0}
    )


@pytest.mark.slow
def test_pylti1p3_chooses_work_with_a_line_item_and_the_launch_names_it(tool: Tool) -> None:
    let(tool.yard)
    klass = tool.yard.cast.kestrels.id
    launch = tool.launched(f"/lti/numberyard/choose?class={klass}")
    settings = launch.get_launch_data()["https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"]
    assert settings["accept_lineitem"] is True
    work = ToolItem().set_label("Lines to 20").set_score_maximum(5).set_tag("t1")
    chosen = DeepLinkResource().set_url(LAUNCH).set_title("Number lines").set_lineitem(work)
    text = launch.get_deep_link().get_response_jwt([chosen])
    back = httpx.post(f"{tool.site}/lti/chosen", data={"JWT": text}, timeout=30)
    assert back.status_code == 303, back.text
    pupil = signed_in_pupil(tool.yard.cast.tenant, tool.yard.cast.ada)
    page = httpx.get(tool.site + back.headers["location"], headers={"cookie": cookie(pupil)}).text
    link = page[page.index("/launch/numberyard?link=") :].split('"')[0]
    opened = Tool(tool.yard, tool.site).launched(link, pupil)
    found = opened.get_ags().get_lineitem()
    assert (found.get_label(), found.get_score_maximum(), found.get_tag()) == ("Lines to 20", 5, "t1")
    told = opened.get_launch_data()
    named = told["https://purl.imsglobal.org/spec/lti/claim/resource_link"]["id"]
    assert opened.get_ags().find_lineitem_by_resource_link_id(named).get_id() == found.get_id()


# ---- Without a library: the ladder.


@pytest.mark.commitment("CLEV-1.20")
def test_without_the_schools_word_there_is_no_claim_no_token_and_no_door(lti: Yard) -> None:
    assert claim(lti) == {}
    answer = token(lti, assertion(lti), scope=f"{ITEM} {SCORE}")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    let(lti)
    assert set(claim(lti)["scope"]) == {ITEM, SCORE, RESULT}
    made = token(lti, assertion(lti), scope=f"{ITEM} {SCORE}").json()["access_token"]
    book = Book(lti, claim(lti)["lineitems"], made)
    item = book.add()["id"]
    share(lti.made.app, {"people": "all", "fields": "all"})  # the administrator takes it back
    for answer in (book.ask("GET", ""), book.ask("POST", "", {}), book.score(item, lti.cast.ada)):
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert kept() == [] and len(written("app.refused")) == 3


@pytest.mark.parametrize("how", ["stopped", "no agreement"])
def test_an_app_that_gets_nothing_sends_nothing(book: Book, how: str) -> None:
    item = book.add()["id"]
    if how == "stopped":
        stop(book.lti.made.app)
    else:
        with unguarded("the agreement ends"):
            Agreement.objects.update(ended_at=clock.now())
    answer = book.score(item, book.lti.cast.ada)
    assert answer.status_code == (401 if how == "stopped" else 403) and kept() == []


def test_a_score_counts_for_pupils_of_the_class_whom_the_rule_reaches(book: Book) -> None:
    cast, item = book.lti.cast, book.add()["id"]
    for who in (cast.ben, cast.ivo, cast.cleo, cast.gus, cast.stranger):
        assert book.score(item, who).status_code == 404, who.given_name
    assert book.score(item, cast.ada, userId="made-up").status_code == 404
    with unguarded("Ada leaves the class"):
        Enrollment.objects.filter(person=cast.ada).update(status="tobedeleted")
    assert book.score(item, cast.ada).status_code == 404
    assert kept() == []


def test_a_narrower_rule_takes_the_class_and_its_results_away(book: Book) -> None:
    cast, item = book.lti.cast, book.add()["id"]
    assert book.score(item, cast.ada).status_code == 204
    let(book.lti, {"classes": ["OWL"]})
    for answer in (book.ask("GET", item), book.ask("GET", f"{item}/results"), book.score(item, cast.ada)):
        assert answer.status_code == 404
    let(book.lti, {"roles": ["teacher"]})  # the class is reached by its teacher, the pupil is not
    assert book.results(item) == [] and book.score(item, cast.ada).status_code == 404
    let(book.lti)
    assert len(book.results(item)) == 1


def test_another_apps_line_item_is_not_there(book: Book, lti: Yard) -> None:
    item = book.add()["id"]
    other = create_app(lti.cast.tenant, "Paint Tray", privacy_url="https://painttray.example/privacy")
    agree(
        other.app, purpose="learning-app", region="GB", retention_days=1, contact="a@painttray.example",
        ends_on=clock.today() + timedelta(days=9), read_policy=True,
    )  # fmt: skip
    share(other.app, {"people": "all", "fields": [SENT]})
    set_sign_on(other.app, protocol="lti", redirect_uris=[LAUNCH], details=DETAILS)
    theirs = Yard(lti.cast, other, lti.ben)
    text = assertion(theirs)
    made = token(theirs, text, scope=f"{ITEM} {SCORE} {RESULT}").json()["access_token"]
    [mine] = seal(bytes.fromhex(other.app.id_key), "class", [lti.cast.kestrels.id])
    with unguarded("a test finds the row"):
        row = LineItem.objects.get().id
    [code] = seal(bytes.fromhex(other.app.id_key), "lineitem", [row])
    painter = Book(theirs, f"http://localhost/lti/contexts/{mine}/lineitems", made)
    assert painter.ask("GET", "").json() == []
    for path in (item, f"{painter.url}/{code}", item.replace(book.url, painter.url)):
        assert painter.ask("GET", path).status_code == 404
        assert painter.ask("DELETE", path).status_code == 404
        assert painter.score(path, lti.cast.ada).status_code == 404
        assert painter.ask("GET", f"{path}/results").status_code == 404
    assert kept() == []


def test_another_tenants_class_and_line_item_are_not_there(book: Book) -> None:
    lti, key = book.lti, bytes.fromhex(book.lti.made.app.id_key)
    with unguarded("another school's class"):
        far = Class.objects.create(
            tenant=lti.cast.other, date_last_modified=clock.now(), sourced_id="K", title="K",
            school_id=lti.cast.stranger.primary_org_id,
        )  # fmt: skip
        theirs = LineItem.objects.create(
            tenant=lti.cast.other, klass=far, title="W", result_value_max=1, source_id=lti.made.app.id, source="N",
            date_last_modified=clock.now(),
        )  # fmt: skip
    [klass] = seal(key, "class", [far.id])
    [item] = seal(key, "lineitem", [theirs.id])
    for path in (f"http://localhost/lti/contexts/{klass}/lineitems", f"{book.url}/{item}"):
        assert book.ask("GET", path).status_code == 404
    assert book.score(f"{book.url}/{item}", lti.cast.ada).status_code == 404


def test_each_scope_opens_its_own_door(book: Book) -> None:
    lti, item = book.lti, book.add()["id"]
    ask_for = {
        "add": lambda b: b.ask("POST", "", {"label": "B", "scoreMaximum": 1}), "read": lambda b: b.ask("GET", item),
        "change": lambda b: b.ask("PUT", item, {"label": "B", "scoreMaximum": 1}),
        "score": lambda b: b.score(item, lti.cast.ada), "results": lambda b: b.ask("GET", f"{item}/results"),
    }  # fmt: skip
    opens = {ITEM: {"add", "read", "change"}, READ: {"read"}, SCORE: {"score"}, RESULT: {"results"}}
    for scope, doors in opens.items():
        made = token(lti, assertion(lti), scope=scope).json()["access_token"]
        mine = Book(lti, book.url, made)
        opened = {name for name, act in ask_for.items() if act(mine).status_code < 300}
        assert opened == doors, scope
    assert Client().get(urlsplit(item).path).status_code == 401


def test_it_is_the_same_behind_the_second_wall(book: Book, settings: Any) -> None:
    cast, ada = book.lti.cast, book.code(book.lti.cast.ada)
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    item = book.add()["id"]
    assert book.score(item, cast.ada).status_code == 204
    assert book.score(item, cast.ivo).status_code == 404
    assert [(r["userId"], r["resultScore"]) for r in book.results(item)] == [(ada, 7)]
    assert book.ask("PUT", item, {"label": "Lines", "scoreMaximum": 20}).json()["scoreMaximum"] == 20
    assert book.ask("DELETE", item).status_code == 204 and book.ask("GET", "").json() == []


# ---- Line items.


def test_line_items_are_listed_by_their_words_and_page_by_page(book: Book) -> None:
    made = [book.add(f"Work {n}", tag="odd" if n % 2 else "even", resourceId=f"r{n}") for n in range(5)]
    code = book.url.split("/")[-2]
    linked = book.add("Linked", resourceLinkId=code)
    assert [i["label"] for i in book.ask("GET", "", tag="odd").json()] == ["Work 1", "Work 3"]
    assert [i["label"] for i in book.ask("GET", "", resource_id="r2").json()] == ["Work 2"]
    assert book.ask("GET", "", resource_link_id=code).json() == [linked]
    assert claim(book.lti)["lineitem"] == linked["id"]
    seen, url = [], f"{book.url}?limit=4"
    while url:
        answer = book.ask("GET", url)
        assert answer["Content-Type"] == "application/vnd.ims.lis.v2.lineitemcontainer+json"
        seen += answer.json()
        url = answer.headers.get("Link", "").split(">")[0].lstrip("<")
    assert seen == [*made, linked]
    assert book.ask("GET", "", limit="none").status_code == 400


def test_a_line_item_is_changed_and_taken_away(book: Book) -> None:
    cast, item = book.lti.cast, book.add(tag="a")["id"]
    assert book.score(item, cast.ada).status_code == 204
    changed = book.ask(
        "PUT",
        item,
        {"id": item, "label": "Lines", "scoreMaximum": 100, "endDateTime": "2026-12-01T09:00:00Z"},
    )
    assert changed.json() == {
        "id": item, "label": "Lines", "scoreMaximum": 100, "endDateTime": "2026-12-01T09:00:00.000Z"
    }  # fmt: skip
    assert [r["resultScore"] for r in book.results(item)] == [70]
    assert book.ask("DELETE", item).status_code == 204
    for answer in (book.ask("GET", item), book.ask("DELETE", item), book.score(item, cast.ada)):
        assert answer.status_code == 404
    assert book.ask("GET", "").json() == [] and kept() == []
    verbs = ("added", "changed", "removed")
    assert [len(written(f"learning.line_item_{verb}")) for verb in verbs] == [1, 1, 1]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"label": "A"}, 400, "scoreMaximum is missing"),
        ({"scoreMaximum": 1}, 400, "has no name"),
        ({"label": "A", "scoreMaximum": 0}, 400, "must be above 0"),
        ({"label": "A", "scoreMaximum": "10"}, 400, "is not a number"),
        ({"label": "A", "scoreMaximum": 1, "startDateTime": "tomorrow"}, 400, "no moment with a time zone"),
        ({"label": "A", "scoreMaximum": 1, "resourceLinkId": "l1"}, 404, "no such"),
        ([1], 400, "not a JSON object"),
        ("{", 400, "not JSON"),
    ],
)
def test_a_line_item_that_cannot_be_read_is_not_made(book: Book, body: Any, status: int, says: str) -> None:
    answer = book.ask("POST", "", body)
    assert answer.status_code == status and says in answer.json()["error_description"]
    assert book.ask("GET", "").json() == []
    assert book.ask("POST", "", body, "text/plain").status_code == 415


# ---- Scores and results.


def test_a_score_never_goes_back_in_time(book: Book) -> None:
    cast, item, moment = book.lti.cast, book.add()["id"], clock.now()
    now, before = moment.isoformat(), (moment - timedelta(seconds=1)).isoformat()
    assert book.score(item, cast.ada, timestamp=now).status_code == 204
    assert book.score(item, cast.ada, timestamp=now).status_code == 204, "the same again changes nothing"
    for older in ({"timestamp": before}, {"timestamp": now, "scoreGiven": 9}):
        answer = book.score(item, cast.ada, **older)
        assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert kept() == [("Ada", 7)] and len(written("learning.score_received")) == 1
    later = (moment + timedelta(seconds=1)).isoformat()
    assert book.score(item, cast.ada, timestamp=later, scoreGiven=9).status_code == 204
    assert kept() == [("Ada", 9)]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"scoreMaximum": None}, "says nothing without scoreMaximum"),
        ({"scoreGiven": -1}, "below 0"),
        ({"scoreGiven": "7"}, "not a number"),
        ({"scoreGiven": True}, "not a number"),
        ({"timestamp": "2026-11-22T09:00:00"}, "no moment with a time zone"),
        ({"timestamp": None}, "timestamp is missing"),
        ({"timestamp": "2099-01-01T00:00:00Z"}, "future"),
        ({"activityProgress": "Sleeping"}, "activityProgress is not known"),
        ({"gradingProgress": None}, "gradingProgress is not known"),
        ({"userId": None}, "userId is missing"),
        ({"comment": "x" * 10_001}, "comment is too long"),
    ],
)
def test_a_score_that_cannot_be_read_leaves_the_last_one(book: Book, changed: Any, says: str) -> None:
    cast, item = book.lti.cast, book.add()["id"]
    early = (clock.now() - timedelta(minutes=1)).isoformat()
    assert book.score(item, cast.ada, timestamp=early, scoreGiven=3).status_code == 204
    answer = book.score(item, cast.ada, **changed)
    assert answer.status_code == 400 and says in answer.json()["error_description"]
    assert kept() == [("Ada", 3)]


def test_only_what_is_marked_to_the_end_has_a_score_and_a_score_can_be_taken_back(book: Book) -> None:
    cast, item, moment = book.lti.cast, book.add()["id"], clock.now()

    def at(seconds: int) -> str:
        return (moment + timedelta(seconds=seconds)).isoformat()

    book.score(item, cast.ada, timestamp=at(0), gradingProgress="Pending")
    assert "resultScore" not in book.results(item)[0]
    book.score(item, cast.ada, timestamp=at(1), scoreGiven=12)  # above the maximum: extra credit
    assert book.results(item)[0]["resultScore"] == 12
    book.score(item, cast.ada, timestamp=at(2), scoreGiven=None, scoreMaximum=None)
    assert "resultScore" not in book.results(item)[0] and kept() == [("Ada", None)]


def test_results_come_by_pupil_and_page_by_page_and_each_answer_is_written_down(book: Book) -> None:
    cast, item = book.lti.cast, book.add()["id"]
    with unguarded("Ivo joins the class"):
        Enrollment.objects.filter(person=cast.ivo).update(klass=cast.kestrels)
    for who in (cast.ada, cast.ivo):
        assert book.score(item, who).status_code == 204
    [ivo] = book.results(item, user_id=book.code(cast.ivo))
    assert ivo["userId"] == book.code(cast.ivo)
    assert book.ask("GET", ivo["id"]).json() == [ivo], "its id leads to it"
    assert book.results(item, user_id=book.code(cast.ben)) == [] == book.results(item, user_id="x")
    first = book.ask("GET", f"{item}/results", limit="1")
    assert first["Content-Type"] == "application/vnd.ims.lis.v2.resultcontainer+json"
    second = book.ask("GET", first["Link"].split(">")[0].lstrip("<"))
    assert [*first.json(), *second.json()] == book.results(item) and "Link" not in second.headers
    rows = disclosed()
    assert [r.people_count for r in rows] == [1, 1, 1, 1, 2]
    assert all("learning_result.score" in r.columns and r.authorised_by for r in rows)
