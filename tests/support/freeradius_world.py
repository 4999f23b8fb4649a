"""A FreeRADIUS SQL database as operators have them: users, groups, priorities and operators, by hand and by chance."""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass, field

import psycopg

PASSWORD = "pass-Word 1"
CLEAR = ("Cleartext-Password", ":=", PASSWORD)
Row = tuple[str, str, str]


@dataclass
class FreeRadiusDatabase:
    """The rows before they are written. Groups of hand-made users carry the user's name before their own."""

    check: list[tuple[str, str, str, str]] = field(default_factory=list)
    reply: list[tuple[str, str, str, str]] = field(default_factory=list)
    members: list[tuple[str, str, int]] = field(default_factory=list)
    group_check: list[tuple[str, str, str, str]] = field(default_factory=list)
    group_reply: list[tuple[str, str, str, str]] = field(default_factory=list)

    def user(self, name, check=(CLEAR,), reply=(), groups=(), group_check=(), group_reply=()):
        """One user; `groups` are (name, priority), their rows (group, attribute, operator, value)."""
        self.check += [(name, *row) for row in check]
        self.reply += [(name, *row) for row in reply]
        self.members += [(name, f"{name}.{group}", priority) for group, priority in groups]
        self.group_check += [(f"{name}.{row[0]}", *row[1:]) for row in group_check]
        self.group_reply += [(f"{name}.{row[0]}", *row[1:]) for row in group_reply]

    def write(self, connection: psycopg.Connection) -> None:
        """Into the stock tables."""
        tables = {
            "radcheck (username, attribute, op, value)": self.check,
            "radreply (username, attribute, op, value)": self.reply,
            "radusergroup (username, groupname, priority)": self.members,
            "radgroupcheck (groupname, attribute, op, value)": self.group_check,
            "radgroupreply (groupname, attribute, op, value)": self.group_reply,
        }
        with connection.cursor() as cursor:
            for table, rows in tables.items():
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)


def _digest(name, *, salt=b""):
    return hashlib.new(name, PASSWORD.encode() + salt).digest() + salt


def hard_cases(world: FreeRadiusDatabase) -> None:
    """Users made by hand, each for one thing that is easily done wrong."""
    _groups_and_fall_through(world)
    _reply_operators(world)
    _check_operators(world)
    _values(world)
    _passwords(world)
    _words_of_ours(world)


def _groups_and_fall_through(world: FreeRadiusDatabase) -> None:
    a_b = (("a", 1), ("b", 2))
    both = (("a", "Filter-Id", "=", "a"), ("b", "Framed-Pool", "=", "b"))
    through = ("a", "Fall-Through", "=", "Yes")
    elsewhere = ("a", "NAS-Identifier", "==", "elsewhere")
    world.user("g-plain")
    world.user("g-only-reply", check=(), reply=[("Reply-Message", "=", "r")])
    world.user("g-first-only", groups=a_b, group_reply=both)
    world.user("g-through", groups=a_b, group_reply=[*both, through])
    world.user("g-through-1", groups=a_b, group_reply=[*both, ("a", "Fall-Through", ":=", "1")])
    world.user("g-through-no", groups=a_b, group_reply=[*both, ("a", "Fall-Through", "=", "No")])
    world.user("g-priority", groups=(("a", 2), ("b", 1)), group_reply=both)
    world.user("g-passed-over", groups=a_b, group_reply=both, group_check=[elsewhere])
    world.user("g-passed-through", groups=a_b, group_reply=[*both, through], group_check=[elsewhere])
    world.user("g-here", groups=a_b, group_reply=both, group_check=[("a", "NAS-Identifier", "=~", "^nas-")])
    world.user("g-empty-first", groups=a_b, group_reply=both[1:])
    world.user("g-user-no", reply=[("Class", "=", "x")], groups=a_b, group_reply=both)
    world.user(
        "g-user-stop", reply=[("Filter-Id", "=", "u"), ("Fall-Through", "=", "No")], groups=a_b, group_reply=both
    )
    world.user(
        "g-user-yes", reply=[("Filter-Id", "=", "u"), ("Fall-Through", "=", "Yes")], groups=a_b, group_reply=both
    )
    world.user("g-user-off", check=(CLEAR, ("NAS-Identifier", "==", "elsewhere")), groups=a_b, group_reply=both)
    world.user("g-three", groups=(("a", 1), ("b", 2), ("c", 3)), group_check=[elsewhere, ("b", "NAS-Port-Type", "==", "Virtual")],
        group_reply=[*both, ("b", "Fall-Through", "=", "Yes"), ("c", "Filter-Id", ":=", "c"), ("c", "Framed-MTU", "+=", "1492")])  # fmt: skip
    world.user("g-reject", groups=(("a", 1),), group_check=[("a", "Auth-Type", ":=", "Reject")])
    world.user("g-reject-there", groups=(("a", 1), ("b", 2)), group_reply=both[1:],
        group_check=[("a", "Auth-Type", ":=", "Reject"), ("a", "NAS-Port-Type", "==", "Virtual")])  # fmt: skip
    world.user("g-odd+name", groups=(("a", 1),), group_reply=both[:1])
    world.members.append(("g-escaped", "Gold (100M)", 1))
    world.check.append(("g-escaped", *CLEAR))
    world.group_reply += [("Gold (100M)", "Filter-Id", "=", "wrong"), ("Gold =28100M=29", "Filter-Id", "=", "right")]
    world.user("o=27brien")
    world.user("tie", groups=(("a", 1), ("b", 1)), group_reply=both)


def _reply_operators(world: FreeRadiusDatabase) -> None:
    route = "Framed-Route"
    one = (("g", 1),)
    for number, (user, group) in enumerate(
        [
            ([(":=", "a"), (":=", "b")], []),
            ([("=", "a"), ("=", "b")], [(":=", "c"), (":=", "d"), (":=", "e")]),
            ([("=", "a")], [("=", "c")]),
            ([("+=", "a")], [("+=", "c"), ("+=", "d")]),
            ([("+=", "a"), ("+=", "b")], [("-=", "a")]),
            ([("+=", "a"), ("-=", "a")], []),
            ([("+=", "a"), ("+=", "b")], [("==", "a")]),
            ([("+=", "a"), ("+=", "b")], [("", "b")]),
            ([("+=", "a"), ("+=", "b")], [("!*", "x")]),
            ([("!=", "a"), ("=~", "b"), ("=", "c")], []),
            ([("<=", "a")], []),
            ([("&=", "a")], []),
            ([("10.1.2.0/24 0.0.0.0 1", "=")[::-1], ("10.1.3.0/24 0.0.0.0 1", "=")[::-1]], []),
            ([], [("=", "10.9.9.0/24 0.0.0.0 1")]),
        ]
    ):
        rows = [(route, op, value) for op, value in user]
        group_rows = [("g", route, op, value) for op, value in group]
        world.user(f"op-{number}", reply=rows, groups=one, group_reply=group_rows)
        # The same, decided at each login: the group compares something.
        world.user(
            f"op-{number}-late",
            reply=rows,
            groups=one,
            group_reply=group_rows,
            group_check=[("g", "NAS-Port", ">", "5")],
        )
    world.user(
        "op-timeout",
        reply=[("Session-Timeout", ":=", "900")],
        groups=one,
        group_reply=[("g", "Session-Timeout", "=", "3600")],
    )
    world.user(
        "op-timeout-over",
        reply=[("Session-Timeout", ":=", "900")],
        groups=one,
        group_reply=[("g", "Session-Timeout", ":=", "3600")],
    )
    world.user(
        "op-tags",
        reply=[
            ("Tunnel-Type:1", "+=", "L2TP"),
            ("Tunnel-Type:2", "+=", "L2TP"),
            ("Tunnel-Server-Endpoint:1", "=", "192.0.2.1"),
        ],
    )


def _check_operators(world: FreeRadiusDatabase) -> None:
    number = 0
    for attribute, values in {
        "NAS-Identifier": ["nas-1", "nas-2", "NAS-1"],
        "NAS-Port": ["16", "17", "18", "3000000000", "0x11"],
        "NAS-Port-Type": ["Virtual", "5", "virtual", "Ethernet"],
        "NAS-IP-Address": ["127.0.0.1", "127.0.0.2", "200.0.0.1"],
        "Called-Station-Id": ["x"],
        "Service-Type": ["Framed-User", "Framed", "2", "Login-User"],
        "Framed-IPv6-Prefix": ["2001:db8::/64"],
        "Event-Timestamp": ["1 Jan 2026"],
    }.items():
        for value in values:
            for op in ("==", "=", "!=", ">", "<", ">=", "<=", "=~", "!~", "=*", "!*", ":=", "+=", "-="):
                number += 1
                world.user(f"check-{number}-{attribute}", check=(CLEAR, (attribute, op, value)))
    for number, pattern in enumerate(
        ["^nas-[0-9]+$", "^NAS", "(?i)^NAS", "nas-\\d", "/nas/", "[", "[[:alpha:]]+", "^(?>n)as", "", "^(rome|nas)-.$", "(a+)+$",
         "1$", "^.{5}$", "[^a-m]", "a{,3}", "nas-1|x", "\\bnas\\b", "nas\\Z", "\\x6eas", "^(n)as.*\\1"]
    ):  # fmt: skip
        for op in ("=~", "!~"):
            world.user(
                f"regex-{number}-{'is' if op == '=~' else 'not'}", check=(CLEAR, ("NAS-Identifier", op, pattern))
            )
    for number, row in enumerate(
        [("No-Such-Attribute", "==", "x"), ("Huntgroup-Name", "==", "x"), ("Group", "==", "x"), ("Packet-Src-IP-Address", "==", "127.0.0.1"),
         ("Login-Time", ":=", "Any"), ("Pool-Name", ":=", "p"), ("User-Profile", ":=", "p"), ("Simultaneous-Use", "==", "1"), ("NAS-Port", "==", "abc"),
         ("Framed-IP-Address", ":=", "10.0.0.1"), ("Fall-Through", "=", "No"), ("Tmp-String-0", ":=", "x"), ("Auth-Type", ":=", "PAP"),
         ("Auth-Type", "==", "Reject"), ("Auth-Type", "=", "Reject"), ("Auth-Type", ":=", "Reject"), ("Auth-Type", ":=", "Accept"),
         ("Max-Daily-Session", ":=", "3600"), ("User-Password", "==", PASSWORD)]
    ):  # fmt: skip
        world.user(f"check-odd-{number}", check=(CLEAR, row))


def _values(world: FreeRadiusDatabase) -> None:
    texts = ["a\\.b", "a\\\\b", "a\\tb", 'a\\"b', "\\101x", "\\x41", "tail\\", "a\\$b", "'single'", '"double"', "`back`", "'it''s'", "'un",
             "%{User-Name}", '"%{User-Name}"', "%u", " sp ", "", "''", "é", "\\", '"\\\\"', "'\\d'", '"a\\"b"', "x" * 253, "x" * 300]  # fmt: skip
    for number, text in enumerate(texts):
        world.user(f"text-{number}", reply=[("Reply-Message", "=", text)])
        world.user(f"pool-{number}", reply=[("Framed-Pool", "=", text)])
    rows = [
        ("Session-Timeout", "abc"), ("Session-Timeout", "-5"), ("Session-Timeout", "5000000000"), ("Session-Timeout", " 600"),
        ("Session-Timeout", "0x258"), ("Session-Timeout", ""), ("Session-Timeout", "30"), ("Idle-Timeout", "0"), ("Service-Type", "framed-user"),
        ("Service-Type", "2"), ("Service-Type", "NoSuch"), ("Framed-Protocol", "PPP"), ("Framed-Compression", "Van-Jacobsen-TCP-IP"),
        ("Framed-IP-Address", "localhost"), ("Framed-IP-Address", "10.1"), ("Framed-IP-Address", "255.255.255.254"), ("Framed-IP-Address", "127.0.0.9"),
        ("Framed-IPv6-Prefix", "2001:db8:5::1/64"), ("Framed-IPv6-Prefix", "2001:db8:6::1"), ("Framed-Interface-Id", "0:0:0:1"), ("Class", "0x636f"),
        ("Cisco-AVPair", "ip:x=1"), ("mikrotik-group", "lower"), ("Mikrotik-Recv-Limit", "5000000000"), ("Attr-26.14988.8", "1M"), ("Attr-200", "0x01"),
        ("Framed-Netmask", "255.255.255.0"), ("Port-Limit", "1"), ("Tmp-String-0", "x"), ("Message-Authenticator", "0x00"), ("User-Password", "x"),
        ("Tunnel-Password", "x"), ("Auth-Type", "Reject"), ("WISPr-Bandwidth-Max-Up", "1000"), ("ERX-Service-Activate:1", "x"),
        ("DNS-Server-IPv6-Address", "2001:db8::53"), ("MS-Primary-DNS-Server", "1.1.1.1"), ("Ascend-Data-Filter", "ip in drop"),
        ("User-Name", "another"), ("Reply-Message-X", "x"), ("State", "0x01"), ("DHCP-Router-Address", "1.2.3.4"), ("Framed-MTU", "1492"),
    ]  # fmt: skip
    for number, (attribute, text) in enumerate(rows):
        world.user(f"value-{number}", reply=[(attribute, "=", text)])


def _passwords(world: FreeRadiusDatabase) -> None:
    salt = b"salt1234"
    rows = [
        ("Cleartext-Password", "==", PASSWORD), ("Cleartext-Password", "=", PASSWORD), ("Cleartext-Password", "+=", PASSWORD),
        ("User-Password", ":=", PASSWORD), ("User-Password", "==", PASSWORD), ("Cleartext-Password", ":=", f"'{PASSWORD}'"),
        ("MD5-Password", ":=", _digest("md5").hex()), ("MD5-Password", ":=", "0x" + _digest("md5").hex()),
        ("MD5-Password", ":=", base64.b64encode(_digest("md5")).decode()), ("SHA-Password", ":=", _digest("sha1").hex()),
        ("SHA1-Password", ":=", _digest("sha1").hex()), ("SMD5-Password", ":=", base64.b64encode(_digest("md5", salt=salt)).decode()),
        ("SSHA-Password", ":=", base64.b64encode(_digest("sha1", salt=salt)).decode()), ("SHA2-Password", ":=", _digest("sha256").hex()),
        ("SHA2-Password", ":=", _digest("sha512").hex()), ("Password-With-Header", ":=", "{clear}" + PASSWORD),
        ("Password-With-Header", ":=", "{ssha}" + base64.b64encode(_digest("sha1", salt=salt)).decode()),
        ("Password-With-Header", ":=", "{sha256}" + base64.b64encode(_digest("sha256")).decode()), ("Password-With-Header", ":=", "{no}x"),
        ("Cleartext-Password", ":=", ""), ("LM-Password", ":=", "00" * 16),
        # crypt(3) of the password, made by `openssl passwd -6 -salt saltsalt`.
        ("Crypt-Password", ":=", CRYPTED), ("Crypt-Password", "==", CRYPTED),
    ]  # fmt: skip
    for name in ("224", "256", "384", "512"):
        salted = _digest(f"sha{name}", salt=salt)
        rows.append((f"SSHA2-{name}-Password", ":=", base64.b64encode(salted).decode()))
        rows.append((f"SSHA2-{name}-Password", ":=", salted.hex()))
        rows.append((f"SSHA2-{name}-Password", ":=", "0x" + salted.hex()))
    for number, row in enumerate(rows):
        world.user(f"password-{number}", check=(row,))
    world.user("password-two", check=(CLEAR, ("Cleartext-Password", ":=", "other")))
    world.user("password-group", groups=(("a", 1),), group_check=[("a", "Cleartext-Password", ":=", "shared")])


CRYPTED = "$6$saltsalt$9n7iue2kKNstP8DkVN3cRumOgdmdLhgNoHTfQH7azpQViCIjQYXHOnPMMMAwLbs/qvGRRoBX8jtGmK5sezdlq0"


def _words_of_ours(world: FreeRadiusDatabase) -> None:
    world.user(
        "static", reply=[("Framed-IP-Address", ":=", "100.64.0.1"), ("Framed-IP-Netmask", ":=", "255.255.255.255")]
    )
    world.user("static-twin", reply=[("Framed-IP-Address", ":=", "100.64.0.1")])
    world.user("static-v6", reply=[("Framed-IPv6-Prefix", "=", "2001:db8:10::/64"), ("Delegated-IPv6-Prefix", "=", "2001:db8:1000::/56"),
        ("Framed-IPv6-Address", "=", "2001:db8:20::5")])  # fmt: skip
    world.user(
        "static-routes",
        reply=[
            ("Framed-Route", "+=", "198.51.100.0/25 0.0.0.0 1"),
            ("Framed-Route", "+=", "198.51.100.128/25 0.0.0.0 5"),
        ],
    )
    world.user("static-in-route", reply=[("Framed-IP-Address", "=", "198.51.100.7")])
    world.user("static-late", reply=[("Framed-IP-Address", ":=", "100.64.0.2")], groups=(("a", 1),), group_check=[("a", "NAS-Port-Type", "==", "Virtual")],
        group_reply=[("a", "Framed-IP-Address", ":=", "10.255.0.1"), ("a", "Framed-IP-Address", "+=", "10.255.0.2")])  # fmt: skip
    world.user("mac", check=(CLEAR, ("Calling-Station-Id", "==", "AA:BB:CC:00:11:22")))
    world.user("mac-other", check=(CLEAR, ("Calling-Station-Id", "==", "AA:BB:CC:00:11:33")))
    world.user(
        "mac-two",
        check=(
            CLEAR,
            ("Calling-Station-Id", "==", "AA:BB:CC:00:11:22"),
            ("Calling-Station-Id", "==", "AA:BB:CC:00:11:33"),
        ),
    )
    world.user("mac-pattern", check=(CLEAR, ("Calling-Station-Id", "=~", "^AA:BB:CC")))
    for name, value in (("one", "1"), ("none", "0"), ("many", "2000"), ("quoted", "'3'")):
        world.user(f"sessions-{name}", check=(CLEAR, ("Simultaneous-Use", ":=", value)))
    for number, date in enumerate(["31 Dec 2036", "Dec 31 2036", "31 Dec 2036 12:30:00", "December 31 2036 12:30", "2036-12-31", "2114380800",
                                   "31 Dec 2020", "31/12/2036", "1 jan 2037 24:00", "soon"]):  # fmt: skip
        for word, op in (("set", ":="), ("one", "="), ("two", "==")):
            world.user(f"expiry-{number}-{word}", check=(CLEAR, ("Expiration", op, date)))
        world.user(
            f"expiry-{number}-timeout",
            check=(CLEAR, ("Expiration", ":=", date)),
            reply=[("Session-Timeout", ":=", "900")],
        )
    for number, rate in enumerate(
        ["10M/20M", "512k/2M", "10240k/20480k", "10000k/20M", "10M", "10M/20M 20M/40M", "10M/20M 20M/40M 8M/16M 10/10", "10M/20M 20M/40M 8M/16M 8/8 5",
         "10M/20M 20M/40M 8M/16M 8/8 5 1M/1M", "10M/20M 0/0 0/0 0/0 3", "0/0", "10M/20M 5M/5M 1M/1M 8", "fast", "10m/20m", "1G/1G"]
    ):  # fmt: skip
        world.user(f"rate-{number}", groups=(("plan", 1),), group_reply=[("plan", "Mikrotik-Rate-Limit", ":=", rate)])
    world.user("plan-all", groups=(("plan", 1),), group_reply=[
        ("plan", "Mikrotik-Rate-Limit", ":=", "30M/300M"), ("plan", "Framed-Pool", "=", "home"), ("plan", "Mikrotik-Address-List", "+=", "paying"),
        ("plan", "Mikrotik-Address-List", "+=", "voip"), ("plan", "Session-Timeout", "=", "86400"), ("plan", "Idle-Timeout", "=", "1200"),
        ("plan", "Acct-Interim-Interval", "=", "300"), ("plan", "Framed-IPv6-Pool", "=", "six"), ("plan", "Mikrotik-Delegated-IPv6-Pool", "=", "pd"),
        ("plan", "Filter-Id", "=", "out"), ("plan", "Service-Type", "=", "Framed-User")])  # fmt: skip
    both = [
        ("plan", "Mikrotik-Rate-Limit", ":=", "30M/300M"),
        ("plan", "Mikrotik-Address-List", "+=", "one"),
        ("plan", "Mikrotik-Address-List", "+=", "two"),
    ]
    world.user("plan-own-rate", reply=[("Mikrotik-Rate-Limit", "=", "1M/1M"), ("Fall-Through", "=", "Yes")], groups=(("plan", 1),),
        group_reply=[("plan", "Mikrotik-Rate-Limit", "=", "30M/300M"), *both[1:]])  # fmt: skip
    world.user(
        "plan-own-list", reply=[("Mikrotik-Address-List", "+=", "zero")], groups=(("plan", 1),), group_reply=both
    )
    world.user("plan-late", groups=(("plan", 1), ("night", 2)), group_reply=[*both, ("plan", "Fall-Through", "=", "Yes"),
        ("night", "Mikrotik-Rate-Limit", ":=", "1M/1M"), ("night", "Mikrotik-Address-List", ":=", "three"), ("night", "Session-Timeout", "=", "600")],
        group_check=[("night", "NAS-Port-Type", "==", "Virtual")])  # fmt: skip

    # The plan's timeout gets jitter; what a later group takes away must still be the plan's very value.
    world.user("plan-late-timeout", groups=(("plan", 1), ("night", 2)), group_reply=[("plan", "Session-Timeout", "=", "86400"),
        ("plan", "Fall-Through", "=", "Yes"), ("night", "Session-Timeout", "-=", "86400")],
        group_check=[("night", "NAS-Port-Type", "==", "Virtual")])  # fmt: skip


def random_users(world: FreeRadiusDatabase, *, seed: int, count: int) -> None:
    """Users and shared groups drawn by chance, with every operator that FreeRADIUS reads."""
    draw = random.Random(seed)
    checks = [("NAS-Identifier", ["nas-1", "nas-2", "bras"]), ("NAS-Port", ["16", "17", "18", "40"]), ("NAS-Port-Type", ["Virtual", "Ethernet", "5"]),
              ("Service-Type", ["Framed-User", "Login-User"]), ("NAS-IP-Address", ["127.0.0.1", "10.0.0.1"])]  # fmt: skip
    replies = [("Framed-Pool", ["p1", "p2"]), ("Framed-Route", ["10.0.0.0/8 0.0.0.0 1", "r2", "r3"]), ("Session-Timeout", ["600", "3600", "30"]),
               ("Mikrotik-Rate-Limit", ["10M/20M", "1M/1M", "odd"]), ("Mikrotik-Address-List", ["a", "b", "c"]), ("Filter-Id", ["f1", "f2"]),
               ("Framed-MTU", ["1480", "1492"]), ("Reply-Message", ["hello", "bye"]), ("Acct-Interim-Interval", ["300", "60"]),
               ("Framed-IP-Address", ["255.255.255.254", "10.7.7.7"]), ("Service-Type", ["Framed-User"]), ("Idle-Timeout", ["600"])]  # fmt: skip

    def pick(choices, operators):
        name, values = draw.choice(choices)
        return name, draw.choice(operators), draw.choice(values)

    def check_rows():
        return [
            pick(checks, ["==", "==", "!=", "=", ">=", "<", "=~", "!~", "=*", "!*", ":="])
            for _ in range(draw.choice([0, 0, 0, 1, 1, 2]))
        ]

    def reply_rows(through):
        rows = [pick(replies, [":=", "=", "=", "+=", "+=", "-=", "==", "!*"]) for _ in range(draw.randrange(5))]
        return rows + ([("Fall-Through", "=", draw.choice(["Yes", "Yes", "No"]))] if draw.random() < through else [])

    groups = [f"group {number}" for number in range(40)]
    for group in groups:
        world.group_check += [(group, *row) for row in check_rows()]
        if draw.random() < 0.1:
            world.group_check.append((group, "Auth-Type", ":=", "Reject"))
        if draw.random() < 0.2:
            world.group_check.append((group, "Simultaneous-Use", ":=", "2"))
        world.group_reply += [(group, *row) for row in reply_rows(0.6)]
    for number in range(count):
        name = f"user{number:04}"
        world.check += [(name, *CLEAR), *((name, *row) for row in check_rows() if draw.random() < 0.4)]
        world.reply += [(name, *row) for row in reply_rows(0.2)]
        if draw.random() < 0.3:
            world.reply.append((name, "Framed-IP-Address", ":=", f"100.70.{number // 250}.{number % 250 + 1}"))
        chosen = draw.sample(groups, draw.choice([0, 1, 1, 1, 2, 3]))
        world.members += [(name, group, position) for position, group in enumerate(chosen)]
