"""One user's rows and groups put together: what every login gets, and what depends on the request.

rlm_sql looks at the user first and then at the groups in order of priority. As long as a group compares nothing, every
login gets it: those are folded into one answer. From the first group that compares something on, it depends on the
request: those stay as blocks of the account's own attributes, which the hook evaluates by the same rules.

Next: freeradius_accounts.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from control_plane.takeover.freeradius_values import Item, Role, Unreadable
from control_plane.takeover.wanted import OwnAttributes, OwnItem
from radius_hooks.own_attributes import evaluate
from radius_hooks.policy_store import OwnBlock, ReplyItem

# FreeRADIUS replaces every character but these, and those beyond ASCII, by `=` and two hex digits before it asks.
SAFE_CHARACTERS: Final = frozenset("@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_: /")


def asked_name(name: str) -> str:
    """How FreeRADIUS writes a user or group name into its queries (its setting safe_characters as delivered)."""
    if SAFE_CHARACTERS.issuperset(name):
        return name
    return "".join(c if c in SAFE_CHARACTERS or ord(c) > 127 else f"={ord(c):02X}" for c in name)


def real_name(stored: str) -> str | None:
    """The name that FreeRADIUS asks for as `stored`, or None when it never asks for that."""
    if SAFE_CHARACTERS.issuperset(stored):
        return stored
    parts = stored.split("=")
    name = parts[0]
    for part in parts[1:]:
        try:
            name += chr(int(part[:2], 16)) + part[2:]
        except ValueError:
            return None
    return name if asked_name(name) == stored else None


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one user, or of one group, understood. `fall_through` None is FreeRADIUS's default."""

    name: str
    check: tuple[Item, ...] = ()
    control: tuple[Item, ...] = ()
    reply: tuple[Item, ...] = ()
    fall_through: bool | None = None
    unreadable: tuple[Unreadable, ...] = ()


def build_block(name: str, items: Sequence[Item | Unreadable]) -> Block:
    """The items of one user or group, sorted by what they do."""
    read = [item for item in items if isinstance(item, Item)]

    def of(role: Role) -> tuple[Item, ...]:
        return tuple(item for item in read if item.role is role)

    word = next((item.value for item in of(Role.FALL_THROUGH)), "default")
    return Block(
        name=name,
        check=of(Role.CHECK),
        control=of(Role.CONTROL),
        reply=of(Role.REPLY),
        fall_through={"yes": True, "no": False}.get(word),
        unreadable=tuple(item for item in items if isinstance(item, Unreadable)),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a user gets. `always` are the groups every login reaches, `depends` the rest, in order.

    `reply` maps each attribute that every login gets to its values in order.
    """

    user: Block
    always: tuple[Block, ...]
    depends: tuple[Block, ...]
    control: tuple[Item, ...]
    reply: Mapping[str, tuple[str, ...]]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block that can bear on a login of this user."""
        return (self.user, *self.always, *self.depends)


def build_answer(user: Block, groups: Sequence[Block]) -> Answer:
    """Fold what every login gets; keep what depends on the request."""
    always: list[Block] = []
    depends: list[Block] = []
    for group in groups if user.fall_through is not False else ():
        if depends or group.check:
            depends.append(group)
        else:
            always.append(group)
        # A group that compares nothing always matches, so without Fall-Through nothing behind it is ever reached.
        if not group.check and group.fall_through is not True:
            break
    folded = (user, *always) if always else (user,)
    return Answer(
        user=user,
        always=tuple(always),
        depends=tuple(depends),
        control=_folded_control(folded),
        reply=fold_replies(folded),
    )


def fold_replies(blocks: Sequence[Block]) -> dict[str, tuple[str, ...]]:
    """The values of each attribute after these blocks were put over one another, all of them matching."""
    outcome = evaluate([OwnBlock((), (), _reply_items(block), fall_through=True) for block in blocks], ())
    found: dict[str, tuple[str, ...]] = {}
    for item in outcome.reply:
        found[item.name] = (*found.get(item.name, ()), item.value)
    return found


def _reply_items(block: Block) -> tuple[ReplyItem, ...]:
    return tuple(ReplyItem(item.name, item.op, item.value, "string") for item in block.reply)


def _folded_control(blocks: Sequence[Block]) -> tuple[Item, ...]:
    """The control items in force: `:=` of a later block replaces those of an earlier one, one for one."""
    present: list[Item] = []
    for block in blocks:
        replaced: set[int] = set()
        before = len(present)
        for item in block.control:
            same = next((i for i in range(before) if present[i].name == item.name and i not in replaced), None)
            if item.op == ":=" and same is not None:
                present[same] = item
                replaced.add(same)
            else:
                present.append(item)
    return tuple(present)


def own_blocks(answer: Answer, reply: Sequence[OwnItem], check: Sequence[OwnItem]) -> tuple[OwnAttributes, ...]:
    """The account's own attributes: what is left of every login's answer first, then what depends on the request."""
    depends = tuple(
        OwnAttributes(
            check=tuple((item.name, item.op, item.value) for item in block.check),
            control=tuple((item.name, item.op, item.value) for item in block.control if item.name == "Auth-Type"),
            reply=tuple((item.name, item.op, item.value) for item in block.reply),
            fall_through=block.fall_through is True,
        )
        for block in answer.depends
    )
    if not (reply or check or depends):
        return ()
    first = OwnAttributes(check=tuple(check), reply=tuple(reply), fall_through=bool(depends))
    return (first, *depends)


def touched_later(answer: Answer) -> frozenset[str]:
    """The attributes that a block which depends on the request may still change."""
    return frozenset(item.name.partition(":")[0] for block in answer.depends for item in block.reply)
