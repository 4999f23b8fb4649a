r"""One row of radcheck, radreply, radgroupcheck or radgroupreply: what FreeRADIUS 3.2.1 makes of it, or why it stays behind.

Found by asking a running server, value by value (tests/radius/test_takeover_answers.py asks again):
- A row that it can't read makes it refuse every login of that user, so such a row is refused here and named.
- A value in quotes loses them; `\n`, `\t`, `\\`, `\"` and three octal digits are escapes with and without quotes.
- `%{…}` is not expanded by this version and was by others; nobody can know which one the operator had in mind.
- An empty operator is `==`. Among check items `=` and `-=` compare as `==` does; `:=` and `+=` set the control list.

Next: freeradius_blocks.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from nas_drivers.dictionaries.attribute import AttributeType
from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import Dictionary
from radius_hooks.own_attributes import INTEGER_KINDS
from radius_hooks.own_regex import regex_problem

OPERATORS: Final = frozenset({":=", "=", "+=", "-=", "==", "!=", ">", "<", ">=", "<=", "=~", "!~", "=*", "!*"})
_ORDERING: Final = frozenset({">", "<", ">=", "<="})
_REPLY_WITHOUT_EFFECT: Final = frozenset({"!=", "<", ">", "=~", "!~", "=*"})
_ESCAPE: Final = re.compile(rb"\\([rnt\\\"]|[0-7]{3})")
_ESCAPED: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\", b'"': b'"'}
_NUMBERED: Final = re.compile(r"(?:attr-|vendor-[0-9])", re.IGNORECASE)
_LONE_BACKSLASH: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
# What FreeRADIUS never compares, whatever the operator among check items: they only set the control list.
_NEVER_COMPARED: Final = frozenset(
    {"Crypt-Password", "Auth-Type", "Autz-Type", "Acct-Type", "Session-Type", "Strip-User-Name"}
)
# Signed or sealed anew for each packet, or ours to give.
_NOT_IN_REPLIES: Final = {
    "Class": "Corrente's own Class stands there: it names session and policy in accounting",
    "State": "belongs to a conversation, not to a subscriber",
    "Proxy-State": "belongs to a proxy, not to a subscriber",
    "Message-Authenticator": "is made anew for each reply",
    "EAP-Message": "belongs to a conversation, not to a subscriber",
    "User-Password": "a password does not belong into a reply",
    "CHAP-Password": "a password does not belong into a reply",
    "CHAP-Challenge": "a challenge does not belong into a reply",
}
PASSWORDS: Final = {
    "Cleartext-Password": "clear",
    "NT-Password": "nt",
    "Crypt-Password": "crypt",
    "MD5-Password": "md5",
    "SMD5-Password": "smd5",
    "SHA-Password": "sha1",
    "SHA1-Password": "sha1",
    "SSHA-Password": "ssha1",
    "SSHA1-Password": "ssha1",
    "SHA2-Password": "sha2",
    "SSHA2-224-Password": "{ssha224}",
    "SSHA2-256-Password": "{ssha256}",
    "SSHA2-384-Password": "{ssha384}",
    "SSHA2-512-Password": "{ssha512}",
    "Password-With-Header": "password_with_header",
}
_CONTROL_KEPT: Final = frozenset({"Simultaneous-Use", "Expiration", "Auth-Type"})
# Set in the control list they do nothing, with any module of FreeRADIUS's own default site.
_CONTROL_WITHOUT_EFFECT: Final = frozenset({"Fall-Through", "Strip-User-Name"})
_NEEDS: Final = {
    "Pool-Name": "the module sqlippool; give the plan a pool of the access device, or the account a static address",
    "Expiration": "the comparison of the module expiration; write :=",
    "Login-Time": "the module logintime, which Corrente has no word for",
    "Current-Time": "the module logintime, which Corrente has no word for",
    "Huntgroup-Name": "the module preprocess's huntgroups; compare NAS-IP-Address or NAS-Identifier",
    "User-Profile": "a profile user; put its attributes into a group",
    "Group": "the groups of the operating system",
    "SQL-Group": "a second look at the groups; make the user a member or not",
    "Proxy-To-Realm": "a proxy to another server",
    "CHAP-Password": "the password module, which adds to it",
    "CHAP-Challenge": "the password module, which adds it when it is missing",
    "Realm": "a proxy or the module suffix",
    "User-Password": "nothing: FreeRADIUS 3 refuses this user; write Cleartext-Password := instead",
}


class Table(Enum):
    """Where a row stands: whose it is, and whether it is compared or sent."""

    USER_CHECK = "radcheck"
    USER_REPLY = "radreply"
    GROUP_CHECK = "radgroupcheck"
    GROUP_REPLY = "radgroupreply"

    @property
    def checks(self) -> bool:
        """True for the two tables of check items."""
        return self in (Table.USER_CHECK, Table.GROUP_CHECK)


@dataclass(frozen=True, slots=True)
class SqlRow:
    """One row as the database has it."""

    table: Table
    id: int
    owner: str
    attribute: str
    op: str
    value: str | None

    @property
    def where(self) -> str:
        """How the report names the row. Its value is left out when it is a password."""
        shown = "…" if "password" in self.attribute.lower() else self.value
        return f"{self.table.value} {self.id} {self.owner}: {self.attribute} {self.op} {shown}"


class Role(Enum):
    """What an item does."""

    CHECK = "check"
    CONTROL = "control"
    REPLY = "reply"
    FALL_THROUGH = "fall_through"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Item:
    """One row understood. `value` is in plain meaning; `note` says why it does nothing."""

    role: Role
    name: str
    op: str
    value: str
    row: SqlRow
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One row that can't be carried over, and why."""

    row: SqlRow
    reason: str


class _RefusedError(Exception):
    pass


def read_item(row: SqlRow, dictionary: Dictionary) -> Item | Unreadable:
    """What one row means, or why it can't be carried over."""
    try:
        return _read(row, dictionary)
    except (_RefusedError, ValueError) as error:
        return Unreadable(row, str(error))


def _read(row: SqlRow, dictionary: Dictionary) -> Item:
    op = row.op.strip() or "=="
    if op not in OPERATORS:
        raise _RefusedError(f"FreeRADIUS knows no operator {row.op!r} and refuses every login")
    attribute = dictionary.attribute(row.attribute)
    if attribute is None:
        raise _RefusedError("no such attribute in FreeRADIUS's dictionary, without which it refuses every login")
    if _NUMBERED.match(row.attribute.strip()):
        raise _RefusedError(f"a number in place of a name is sent octet by octet: write {attribute.name}")
    text = _unquoted(row.value)
    if row.table.checks:
        return _read_check(row, attribute, op, text)
    return _read_reply(row, attribute, op, text)


def _unquoted(value: str | None) -> str:
    if value is None:
        raise _RefusedError("the value is NULL")
    if "%{" in value:
        raise _RefusedError("holds %{…}, which some versions of FreeRADIUS expand: write what it should be")
    first = value[:1]
    if first not in ("'", '"', "`") or not value.endswith(first):
        return value
    if first == "`":
        raise _RefusedError("a value in backquotes is expanded when asked for: write what it should be")
    inside = value[1:-1]
    if len(value) == 1 or first in inside or (first == "'" and "\\" in inside):
        raise _RefusedError("quotes or backslashes inside quotes: write the value without the outer quotes")
    return inside


def _unescaped(text: str) -> str:
    """The text that FreeRADIUS makes of a string value."""
    if "\\" not in text:
        return text
    if _LONE_BACKSLASH.search(text):
        raise _RefusedError("ends with a lone backslash: FreeRADIUS refuses every login")
    octets = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1]) or bytes([int(found[1], 8) & 0xFF]), text.encode())
    try:
        clear = octets.decode()
    except UnicodeDecodeError as error:
        raise _RefusedError("holds octets that are no UTF-8") from error
    return clear


def _plain(attribute: AttributeType, text: str) -> str:
    """A value in plain meaning, checked against the type of its attribute. Raises: ValueError."""
    if attribute.kind == "string":
        clear = _unescaped(text)
        canonical_value(attribute, clear)
        return clear
    return canonical_value(attribute, text)


def _read_check(row: SqlRow, attribute: AttributeType, op: str, text: str) -> Item:
    name = attribute.name
    if op in (":=", "+=") or name in _NEVER_COMPARED:
        return _read_control(row, attribute, op, text)
    if name in PASSWORDS or name == "Simultaneous-Use":
        raise _RefusedError(f"{op} compares with the request, which never has it: FreeRADIUS refuses; write :=")
    if name == "Expiration" and op == "=":
        return _read_control(row, attribute, ":=", text)
    if not attribute.on_wire or name in _NEEDS:
        raise _RefusedError(f"needs {_NEEDS.get(name, 'something inside FreeRADIUS that is not in the request')}")
    if attribute.tag is not None or attribute.tagged:
        raise _RefusedError("a tagged attribute can't be compared")
    if attribute.kind == "date":
        # FreeRADIUS's preprocess module adds Event-Timestamp to every request.
        raise _RefusedError("a time can't be compared")
    op = "==" if op in ("=", "-=") else op
    if op in ("=*", "!*"):
        return Item(Role.CHECK, name, op, "", row)
    return Item(Role.CHECK, name, op, _compared_value(attribute, op, text), row)


def _compared_value(attribute: AttributeType, op: str, text: str) -> str:
    """The value as FreeRADIUS prints it, for that is how the request's attributes reach the comparison."""
    plain = _plain(attribute, text)
    if op in _ORDERING and (
        attribute.values or (attribute.kind not in INTEGER_KINDS and attribute.kind not in ("string", "integer64"))
    ):
        raise _RefusedError(f"{op} needs an order, and this attribute's values have none that can be carried over")
    if attribute.printed and attribute.kind in INTEGER_KINDS:
        plain = attribute.printed.get(int(plain), plain)
    if op in ("=~", "!~"):
        problem = regex_problem(plain)
        if problem:
            raise _RefusedError(f"the regular expression can't be carried over: {problem}")
    return plain


def _read_control(row: SqlRow, attribute: AttributeType, op: str, text: str) -> Item:
    name = attribute.name
    if name in PASSWORDS:
        if not text or "\0" in text:
            raise _RefusedError("the password is empty: FreeRADIUS refuses every login")
        if op not in (":=", "+=", "="):
            raise _RefusedError(f"{op} sets no password: FreeRADIUS refuses; write :=")
        # Octets are kept as they are written: hex, base64 and letters are told apart by FreeRADIUS at each login.
        return Item(Role.CONTROL, name, op, _unescaped(text) if attribute.kind == "string" else text, row)
    if name == "Expiration":
        return Item(Role.CONTROL, name, op, text, row)
    if name == "Auth-Type":
        if text.lower() != "reject" or op not in (":=", "+="):
            raise _RefusedError("only Auth-Type := Reject has a meaning here; the method is chosen by the request")
        return Item(Role.CONTROL, name, ":=", "Reject", row)
    if name in _CONTROL_KEPT:
        return Item(Role.CONTROL, name, op, _plain(attribute, text), row)
    if name in _CONTROL_WITHOUT_EFFECT or (attribute.on_wire and name not in _NEEDS):
        note = f"{op} among check items compares nothing and sends nothing: left out"
        return Item(Role.NOTHING, name, op, text, row, note)
    raise _RefusedError(f"needs {_NEEDS.get(name, 'a module or policy that Corrente does not run')}")


def _read_reply(row: SqlRow, attribute: AttributeType, op: str, text: str) -> Item:
    name = attribute.name
    if name == "Fall-Through":
        value = {"yes": "yes", "1": "yes", "no": "no", "0": "no", "2": "default"}.get(text.strip().lower())
        if value is None:
            raise _RefusedError("Fall-Through is Yes or No")
        return Item(Role.FALL_THROUGH, name, op, value, row)
    if name in _NOT_IN_REPLIES:
        raise _RefusedError(_NOT_IN_REPLIES[name])
    if attribute.on_wire and "password" in name.lower():
        raise _RefusedError("a password in a reply would lie in clear in the account's own attributes")
    if not attribute.on_wire:
        return Item(Role.NOTHING, name, op, text, row, "exists only inside FreeRADIUS, is never sent: left out")
    if attribute.encrypted:
        raise _RefusedError("is sent encrypted, which can't be compared")
    if op in _REPLY_WITHOUT_EFFECT:
        return Item(Role.NOTHING, name, op, text, row, f"{op} among reply items changes nothing: left out")
    if op in ("<=", ">="):
        raise _RefusedError(f"{op} among reply items can't be carried over; write := or =")
    full = name if attribute.tag is None else f"{name}:{attribute.tag}"
    return Item(Role.REPLY, full, op, "" if op == "!*" else _plain(attribute, text), row)
