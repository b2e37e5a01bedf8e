"""What staff may be, how long a sign-in lasts, and which passwords are too easy."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256

from django.dispatch import Signal

IDLE = timedelta(hours=1)  # a sign-in that nobody uses ends
ABSOLUTE = timedelta(hours=12)  # and none outlives a day
LOW_IDLE, LOW_ABSOLUTE = (
    timedelta(minutes=15),
    timedelta(hours=1),
)  # a badge, on a device that others use next
TOUCH = timedelta(minutes=1)  # how stale "last used" may be: a write for each page would be waste
RESET_LASTS = timedelta(hours=24)
GRANT_LASTS = timedelta(days=400)  # a role is looked at again each school year

WINDOW = 600  # seconds in which failures are counted
PER_ACCOUNT = 10
PER_ADDRESS = 60

PASSWORD_LEAST, PASSWORD_MOST = 12, 1024


# Sent with `handles` (of sign-ins that were ended) and `accounts` (all of whose sign-ins were, also those that had run
# out by themselves) inside the transaction that ends them: whatever came of these sign-ins ends with them.
sign_ins_ended = Signal()


@dataclass(frozen=True)
class Role:
    """A role of staff: its name in the policy, its title, the purpose it works for, what it may do."""

    name: str
    title: str
    purpose: str
    does: str


ROLES = {
    role.name: role
    for role in (
        Role(
            "administrator",
            "administrator",
            "administration",
            "keeps the roster right and decides which app sees what",
        ),
        Role("dpo", "data protection officer", "protection", "answers for everything the school holds"),
        Role("head", "head", "leadership", "sees the people of their own school"),
        Role("teacher", "teacher", "teaching", "sees the people of the classes they teach"),
    )
}


# Given by nobody: an app developer has it, in the sandbox that is their own and nowhere else. There they act as the
# administrator of invented people.
DEVELOPER = Role("developer", "app developer", "administration", "tries apps on invented people")
STAFF = {**ROLES, DEVELOPER.name: DEVELOPER}

# Who sees more than their own classes shows two factors; a passkey that knows its holder is both.
NEEDS_TWO = frozenset(ROLES) - {"teacher"}
GRACE = timedelta(days=14)
RECOVERY_CODES = 10
CHALLENGE_SECONDS = 300

# What people of the roster are when they sign in: not offered to staff, and never seen on a staff page.
PORTAL = {
    role.name: role
    for role in (
        Role("student", "pupil", "portal", "opens the apps that the school chose"),
        Role("guardian", "guardian", "family", "sees what their child uses and who sees it"),
    )
}


@dataclass(frozen=True)
class Way:
    """A way to sign in. trust: low (a thing that can be lost opens only what the school chose), one (one factor),
    two (two). amr: its words for other systems (RFC 8176)."""

    name: str
    title: str
    trust: str
    amr: tuple[str, ...]


WAYS = {
    way.name: way
    for way in (
        Way("badge", "a badge", "low", ("hwk",)),
        Way("picture", "a picture code", "low", ("otp",)),
        Way("password", "a password", "one", ("pwd",)),
        Way("link", "a one-time link", "one", ("otp",)),
        Way("idp", "the school's own sign-in", "one", ("fed",)),
        Way("idp+mfa", "the school's own sign-in with two factors", "two", ("fed", "mfa")),
        Way("passkey", "a passkey", "two", ("hwk", "user", "mfa")),
        Way("password+passkey", "a password and a passkey", "two", ("pwd", "hwk", "mfa")),
        Way("password+recovery", "a password and a recovery code", "two", ("pwd", "otp", "mfa")),
    )
}


def titles(roles: tuple[str, ...]) -> str:
    """Roles as words: "administrator or data protection officer"."""
    words = [STAFF[r].title for r in roles if r in ROLES] or [
        STAFF[r].title if r in STAFF else r for r in roles
    ]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def ends_at(began: datetime, used: datetime, how: str = "password") -> datetime:
    """When a sign-in ends that began so and was last used then."""
    if WAYS[how].trust == "low":
        return min(began + LOW_ABSOLUTE, used + LOW_IDLE)
    return min(began + ABSOLUTE, used + IDLE)


# The commonest words that people pad to the length asked for (from public counts of leaked passwords).
_COMMON = frozenset(
    "password passwort letmein welcome qwerty qwertyuiop qwertyuiopas asdfghjkl zxcvbnm abc abcd abcdef abcdefghijkl admin "
    "administrator iloveyou monkey dragon football baseball sunshine princess superman trustno shadow master login "
    "changeme secret school teacher student computer internet google rollbook summer autumn winter spring london "
    "correcthorsebatterystaple whatever starwars pokemon liverpool chelsea arsenal hello helloworld default guest test "
    "testing passw pass word mypassword newpassword qazwsx qazwsxedc wsx edc zaq onetwothree".split()
)
_ROWS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


def password_problem(password: str, email: str, name: str) -> str | None:
    """Why this password will not do, as a sentence that says what would; None when it will."""
    if len(password) < PASSWORD_LEAST:
        return f"Use at least {PASSWORD_LEAST} characters. Three or four words that do not belong together are good."
    if len(password) > PASSWORD_MOST:
        return f"Use at most {PASSWORD_MOST} characters."
    plain = _plain(password)
    core = plain.strip("0123456789").translate(str.maketrans("013457", "oieast"))
    own = [_plain(part) for part in (email, email.split("@")[0], name)]
    if any(part and len(plain) - len(part) < 6 and part in plain for part in own):
        return "This is your name or email, or nearly. Choose something that nobody knows about you."
    if len(set(password)) < 5 or _repeated(plain) or any(plain in row or plain in row[::-1] for row in _ROWS):
        return "This repeats itself or runs along the keyboard. Choose words that do not belong together."
    if any(_only_common(word) for word in (core, re.sub(r"[0-9]", "", plain))):
        return "This is one of the passwords that are tried first. Choose words that do not belong together."
    return None


def _plain(text: str) -> str:
    """Letters and digits alone, in lower case."""
    return "".join(c for c in text.lower() if c.isalnum())


def _repeated(text: str) -> bool:
    """Whether the text is one short piece again and again."""
    return any(text == (text[:n] * len(text))[: len(text)] for n in range(1, min(5, len(text) // 2 + 1)))


def _only_common(text: str) -> bool:
    """Whether the text is one of the commonest words, or up to three of them in a row."""
    if text in _COMMON or not text:
        return bool(text)
    firsts = [text[len(w) :] for w in _COMMON if text.startswith(w)]
    seconds = [rest[len(w) :] for rest in firsts for w in _COMMON if rest.startswith(w)]
    return any(rest in _COMMON for rest in [*firsts, *seconds])


def browser_name(agent: str) -> str:
    """A browser and system in words, from a User-Agent header: "Firefox on Windows"."""
    browsers = (
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("CrOS", "Chrome"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    )
    systems = (("CrOS", "a Chromebook"), ("iPad", "an iPad"), ("iPhone", "an iPhone"), ("Android", "Android"),
               ("Windows", "Windows"), ("Mac OS", "a Mac"), ("Linux", "Linux"))  # fmt: skip
    browser = next((name for mark, name in browsers if mark in agent), "A browser")
    system = next((name for mark, name in systems if mark in agent), "")
    return f"{browser} on {system}" if system else browser


# ---- Badges and picture codes.

BADGE = re.compile(r"^RB1:[A-Z2-7]{26}$")
PER_DEVICE = 10  # failures, as PER_ADDRESS, which a class of thirty behind one address does not reach
PAUSE = 60  # seconds, counted in fixed windows: half a minute on average
FACES = ("rabbit", "bird", "dog", "cow", "horse", "butterfly", "bug", "paw-print")
PICTURES = ("cat", "fish", "tree", "sun", "umbrella", "car", "sailboat", "cake", "house")
TAPS = 4
CODE_LASTS, CODE_TRIES = timedelta(minutes=15), 3


def badge_token(key: bytes, badge_id: int, generation: int) -> str:
    """What the badge says: 128 bits that nobody can guess and only the holder of `key` can write again."""
    made = hmac.digest(key, f"badge:{badge_id}:{generation}".encode(), "sha256")[:16]
    return "RB1:" + base64.b32encode(made).decode().rstrip("=")


def pictures_digest(key: bytes, code_id: int, taps: tuple[int, ...]) -> str:
    """What is kept of a picture code. Keyed: 6,561 codes are tried in a moment by who has a copy of the database."""
    return hmac.new(key, f"pictures:{code_id}:{taps}".encode(), sha256).hexdigest()


def face(account_id: int) -> str:
    """The animal that stands for a child on a shared screen, always the same."""
    return FACES[sha256(str(account_id).encode()).digest()[0] % len(FACES)]


def year_ends(day: date) -> date:
    """The 31 August after which a badge issued on `day` opens nothing; in July and August that of next year."""
    return date(day.year + (day.month >= 7), 8, 31)


def network(address: str) -> str:
    """Where failures are counted: an IPv4 address, or the /64 that an IPv6 device changes its address within."""
    return ":".join(address.split(":")[:4]) if address.count(":") > 1 else address


# ---- One-time links of developers.

SIGN_UP_LASTS = timedelta(minutes=15)

# ---- One-time links and codes of guardians.

KEY_LASTS, KEY_TRIES = timedelta(minutes=30), 5
SENDS_A_CONTACT, SENDS_AN_ADDRESS = 3, 60  # in WINDOW seconds; more are not sent, and the page looks the same


def one_time(key: bytes, key_id: int) -> tuple[str, str]:
    """The link's token and the six digits of a one-time key."""
    made = hmac.digest(key, f"one-time:{key_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(made[:24]).decode(), f"{int.from_bytes(made[24:], 'big') % 1_000_000:06d}"


def contact_of(text: str) -> tuple[str, str]:
    """("mail", an email in lower case), ("sms", the digits of a number), or ("", "") for what is neither."""
    text = text.strip()[:254]
    if "@" in text:
        return "mail", text.lower()
    digits = "".join(c for c in text if c.isdigit())
    return ("sms", digits) if 7 <= len(digits) <= 15 else ("", "")


@dataclass(frozen=True)
class Stock:
    """Paper with labels on it, in millimetres. left, top: where the first label begins. gap: between two columns."""

    name: str
    title: str
    width: float
    height: float
    columns: int = 1
    rows: int = 1
    page_width: float = 210.0
    page_height: float = 297.0
    gap: float = 0.0

    @property
    def count(self) -> int:
        return self.columns * self.rows

    @property
    def pitch_x(self) -> float:
        return self.width + self.gap

    @property
    def pitch_y(self) -> float:
        return self.height

    @property
    def left(self) -> float:
        return (self.page_width - self.columns * self.width - (self.columns - 1) * self.gap) / 2

    @property
    def top(self) -> float:
        return (self.page_height - self.rows * self.height) / 2


STOCKS = {
    stock.name: stock
    for stock in (
        Stock("cards", "A4, 10 cards of 95 × 54 mm", 95, 54, 2, 5),
        Stock("labels-21", "A4, 21 labels of 63.5 × 38.1 mm", 63.5, 38.1, 3, 7, gap=2.5),
        Stock("labels-24", "A4, 24 labels of 70 × 37 mm", 70, 37, 3, 8),
        Stock("roll", "A roll, single labels of 89 × 36 mm", 89, 36, page_width=89, page_height=36),
    )
}
