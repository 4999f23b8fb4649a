"""An account's own attributes: what no other word of the product carries, evaluated as FreeRADIUS's rlm_sql does.

An account has a list of blocks. The first is the account's own: if its check items do not match the request, the login
is refused. The others came from groups: one that does not match is passed over, and after one that matches the next is
looked at only when it falls through.

How FreeRADIUS 3.2.1 behaves was found by asking it (tests/radius/test_takeover_answers.py keeps the questions):
- A check item holds when any attribute of that name in the request satisfies it; an absent one satisfies only `!*`.
- Integers are compared as the signed 32-bit difference, strings byte by byte, addresses by value.
- Items of one block do not see each other: `:=` twice gives two attributes, `=` twice as well.
- `=` adds when the attribute was absent before this block, `:=` replaces the first one, `+=` appends, `-=` removes
  those of equal value, `==` removes those of another value, `!*` removes all of that name.

Next: decision.py
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from radius_hooks.own_regex import compiled
from radius_hooks.policy_store import OwnBlock, ReplyItem

CHECK_OPERATORS: Final = frozenset({"==", "=", "!=", ">", "<", ">=", "<=", "=~", "!~", "=*", "!*"})
# In a reply these change something; the comparing ones among FreeRADIUS's operators change nothing there.
REPLY_OPERATORS: Final = frozenset({":=", "=", "+=", "-=", "==", "!*"})
INTEGER_KINDS: Final = frozenset({"integer", "byte", "short", "signed", "date"})
_ORDERED_KINDS: Final = INTEGER_KINDS | {"integer64", "string"}
_ORDERING: Final = frozenset({">", "<", ">=", "<="})
_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_AUTH_TYPE: Final = "Auth-Type"
_REJECT: Final = "Reject"
_DIFFERENT: Final = 1


@dataclass(frozen=True, slots=True)
class OwnOutcome:
    """What an account's blocks say to one request.

    `detail` names what refuses, when it does not match. `reply` is what the blocks alone give; `merge_reply` puts them
    over the attributes of profile and account. `control` never holds an Auth-Type: one that refuses is in `matches`,
    and nothing here may let a login in without its password.
    """

    matches: bool
    detail: str
    control: tuple[ReplyItem, ...]
    reply: tuple[ReplyItem, ...]
    merges: tuple[tuple[ReplyItem, ...], ...]


_NOTHING: Final = OwnOutcome(True, "", (), (), ())


def evaluate(blocks: Sequence[OwnBlock], pairs: Sequence[tuple[str, str]]) -> OwnOutcome:
    """What `blocks` say to a request of `pairs`, (name, value) as FreeRADIUS prints them.

    A NAS-IP-Address that the NAS did not send must be among the pairs as the packet's source: FreeRADIUS's preprocess
    module adds it before rlm_sql looks.
    """
    if not blocks:
        return _NOTHING
    matched: list[OwnBlock] = []
    for position, block in enumerate(blocks):
        failed = _failed_check(block.check, pairs)
        if failed is not None:
            if position == 0:
                return OwnOutcome(False, f"{failed.name} {failed.op} {failed.value}", (), (), ())
            continue
        matched.append(block)
        if not block.fall_through:
            break
    control: tuple[ReplyItem, ...] = ()
    reply: tuple[ReplyItem, ...] = ()
    for block in matched:
        control = _merged(control, block.control)
        reply = _merged(reply, block.reply)
    refused = any(item.name == _AUTH_TYPE and item.value == _REJECT for item in control)
    return OwnOutcome(
        matches=not refused,
        detail=f"{_AUTH_TYPE} := {_REJECT}" if refused else "",
        control=tuple(item for item in control if item.name != _AUTH_TYPE),
        reply=reply,
        merges=tuple(block.reply for block in matched),
    )


def merge_reply(base: Sequence[ReplyItem], outcome: OwnOutcome) -> tuple[ReplyItem, ...]:
    """The attributes of profile and account with the account's own put over them: the whole reply, in order.

    The operators have had their effect; the caller adds every item of the result as it is.
    """
    reply = tuple(base)
    for items in outcome.merges:
        reply = _merged(reply, items)
    return reply


def _failed_check(check: Sequence[ReplyItem], pairs: Sequence[tuple[str, str]]) -> ReplyItem | None:
    """The first check item that does not hold."""
    for item in check:
        values = [value for name, value in pairs if name == item.name]
        if item.op == "!*":
            if values:
                return item
        elif not any(_holds(item, value) for value in values):
            return item
    return None


def _holds(item: ReplyItem, value: str) -> bool:
    if item.op == "=*":
        return True
    if item.op in ("=~", "!~"):
        pattern = compiled(item.value)
        if pattern is None:
            return False
        return (pattern.search(value.encode()) is not None) == (item.op == "=~")
    if item.op in _ORDERING and item.kind not in _ORDERED_KINDS:
        return False
    holds = _COMPARISONS.get(item.op)
    return holds is not None and holds(_difference(value, item.value, item.kind), 0)


def _difference(left: str, right: str, kind: str) -> int:
    """0 when equal as values of that kind; its sign is the order where the kind has one."""
    if left == right:
        return 0
    if kind in INTEGER_KINDS:
        return _integer_difference(left, right)
    if kind == "integer64":
        return int(left) - int(right) if left.isdecimal() and right.isdecimal() else _DIFFERENT
    if kind in ("ipaddr", "ipv6addr", "ipv4prefix", "ipv6prefix", "combo-ip"):
        return 0 if _address(left) == _address(right) else _DIFFERENT
    if kind in ("octets", "ether", "ifid"):
        return 0 if left.lower() == right.lower() else _DIFFERENT
    if kind == "string":
        return 1 if left.encode() > right.encode() else -1
    return _DIFFERENT


def _integer_difference(left: str, right: str) -> int:
    """As FreeRADIUS computes it, wrap-around included; enumerated names are only equal or not."""
    try:
        difference = (int(left) - int(right)) & 0xFFFFFFFF
    except ValueError:
        return _DIFFERENT
    return difference - (1 << 32) if difference >> 31 else difference


@lru_cache(maxsize=4096)
def _address(text: str) -> object:
    try:
        return ip_network(text, strict=False) if "/" in text else ip_address(text)
    except ValueError:
        return text


def _bare(name: str) -> str:
    """A name without its tag: a tagged attribute is replaced and removed whatever its tag."""
    return name.partition(":")[0]


def _merged(present: Sequence[ReplyItem], block: Sequence[ReplyItem]) -> tuple[ReplyItem, ...]:
    """`block` put over what was there before it; its items do not see each other."""
    if not block:
        return tuple(present)
    before: list[ReplyItem | None] = list(present)
    replaced: set[int] = set()
    added: list[ReplyItem] = []
    for item in block:
        if item.op == "+=" or not _apply(item, before, replaced):
            added.append(item)
    return (*(item for item in before if item is not None), *added)


def _apply(item: ReplyItem, before: list[ReplyItem | None], replaced: set[int]) -> bool:
    """Let one item act on what was there; says whether that was all, or the item is to be added."""
    name = _bare(item.name)
    for position, other in enumerate(before):
        if other is None or position in replaced or _bare(other.name) != name:
            continue
        if item.op == "=":
            return True
        if item.op == ":=":
            before[position] = item
            replaced.add(position)
            return True
        equal = _difference(other.value, item.value, item.kind) == 0
        if item.op == "!*" or (item.op == "-=" and equal) or (item.op == "==" and not equal):
            before[position] = None
    return item.op not in ("=", ":=")
