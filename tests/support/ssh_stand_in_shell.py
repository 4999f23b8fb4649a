#!/usr/bin/python3
"""A stand-in for the command line of an access device, as a login shell: it is no vendor's, and does what it is asked to test.

It asks before it clears, pages whatever it is told about that, refuses what it does not know in Cisco's words, hangs, sends an
octet now and then, and has a second view with another prompt. What it is told is appended to `told` beside it.
"""

import sys
import termios
import time
import tty
from pathlib import Path

HERE = Path(__file__).parent
SESSIONS = {"00000007": ("anna", "192.0.2.7"), "00000008": ("anna", "192.0.2.8"), "00000009": ("bruno", "192.0.2.9")}
# As IOS XE's command reference prints a session, with the policy maps below as a CSR1000V does; `sessions` beside this has a
# line of number, name, address and, perhaps, policy maps for each.
DETAILS = """Type: PPPoE, UID: {0}, State: authen, Identity: {1}
IPv4 Address: {2}
Session Up-time: 00:01:02, Last Changed: 00:01:02
Switch-ID: 4106

"""


POLICIES = """Features:

QoS Policy Map:
Class-id    Dir   Policy Name Source
0           In    {3}     Peruser
1           Out   {4}    Peruser

"""


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def key() -> str:
    before = termios.tcgetattr(0)
    tty.setcbreak(0)
    try:
        return sys.stdin.read(1)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def gone() -> set[str]:
    file = HERE / "gone"
    return set(file.read_text().split()) if file.exists() else set()


def off_s() -> int:
    file = HERE / "clock_off_s"
    return int(file.read_text()) if file.exists() else 0


def cisco_sessions() -> list[list[str]]:
    file = HERE / "sessions"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.split() for line in lines if line.split()[0] not in gone()]


def page(lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        say(line + "\n")
        if number % 5 == 0 and number < len(lines):
            say(" --More-- ")
            if key() == "q":
                say("\n")
                return
            say("\b" * 10 + " " * 10 + "\b" * 10)


def obey(words: list[str], prompt: str) -> str:
    live = {number: one for number, one in SESSIONS.items() if number not in gone()}
    match words:
        case ["terminal", *_] | []:
            pass
        case ["show", "sessions"]:
            page([f"{number} {name} {address}" for number, (name, address) in live.items()])
        case ["show", "sessions", "username", wanted]:
            say("".join(f"{number} {name} {address}\n" for number, (name, address) in live.items() if name == wanted))
        case ["show", "numbers"]:
            page([f"number {number}" for number in range(1, 18)])
        case ["show", "subscriber", "session", "username", wanted]:
            found = [one for one in cisco_sessions() if one[1] == wanted]
            say(
                "".join((DETAILS + POLICIES * (len(one) > 3)).format(*one) for one in found)
                or "% No active Subscriber Sessions\n\n"
            )
        case ["show", "subscriber", "session", "filter", "username", wanted, "detail"]:
            # As an ASR 9000 prints it.
            for number, name, address, *_ in (one for one in cisco_sessions() if one[1] == wanted):
                say(
                    f"Interface:                Gi0/0/0/0.ppp{number}\nIPv4 Address:             {address}, VRF: default\n"
                )
                say(f"Account-Session Id:       s{number}\nUser name:                {name}\n\n")
        case ["show", "subscriber", "running-config", "interface", "name", interface]:
            # As IOS XR 7.4.2 prints it, the services being what stands behind number, name and address.
            say("Building configuration...\n!! IOS XR Configuration 7.4.2\ndynamic-template\n")
            for _, _, _, *services in (one for one in cisco_sessions() if interface.endswith(f"ppp{one[0]}")):
                say("".join(f" type service-profile {one}\n  service-policy input {one}-in\n !\n" for one in services))
            say("!\nend\n")
        case ["show", "subscriber", "session"]:
            table = "Uniq ID Interface    State    Service     Up-time  TC Ct. Identifier\n"
            rows = [f"{number} Vi1.1 authen Lterm 00:01:02 0 {name}\n" for number, name, *_ in cisco_sessions()]
            say(table + "".join(rows))
        case ["show", "pppoe-server", "sessions"]:
            # As VyOS's documentation prints it, of the rows that `table` beside this has.
            say(
                " ifname | username |     ip    | rate-limit  | state  |  uptime\n--------+----------+-----------+-------------+--------+----------\n"
            )
            for row in (line.split() for line in (HERE / "table").read_text().splitlines()):
                say(f" {row[1]}   | {row[2]} | {row[3]} | {row[5]} | {row[6]} | 00:00:11\n")
        case ["accel-cmd", "show", "sessions", columns, *match]:
            # As accel-ppp's own show_sessions.c prints it, of the rows that `table` beside this has.
            name = match[2].strip("^$") if match else ""
            rows = [line.split() for line in (HERE / "table").read_text().splitlines()]
            say(
                " "
                + " | ".join(columns.split(","))
                + "\n-"
                + "-+-".join("-" * len(one) for one in columns.split(","))
                + "\n"
            )
            say("".join(" " + " | ".join(row) + "\n" for row in rows if name in ("", row[2])))
        case ["clear", "subscriber", "session", "uid", number]:
            say("This will clear the session. Continue? [confirm]")
            if sys.stdin.readline().strip() == "y":
                (HERE / "gone").write_text(" ".join({*gone(), number}))
        case ["clear", "session", number] if number in live:
            say(f"Clear session {number}? [y/N] ")
            if sys.stdin.readline().strip() == "y":
                (HERE / "gone").write_text(" ".join({*gone(), number}))
                say("Cleared.\n")
            else:
                say("Kept.\n")
        case ["sed", _, "/etc/accel-ppp.conf"] | ["show", "aaa", "method-lists", "authentication"]:
            # What `configuration` beside this has, for whoever asks for a configuration.
            say((HERE / "configuration").read_text())
        case ["date", "+%s"]:
            say(f"{int(time.time()) + off_s()}\n")
        case ["show", "clock"]:
            say(time.strftime("*%H:%M:%S.000 UTC %a %b %d %Y\n", time.gmtime(time.time() + off_s())))
        case ["hang"]:
            time.sleep(600)
        case ["drip"]:
            while True:
                say(".")
                time.sleep(0.1)
        case ["flood"]:
            while True:
                say("x" * 200 + "\n")
        case ["ask", *rest]:
            say(" ".join(rest))
            sys.stdin.readline()
        case ["leave"]:
            sys.exit()
        case ["echo", *rest]:
            say(" ".join(rest) + "\n")
        case ["system-view"]:
            return "[stand-in]"
        case ["quit"]:
            return "stand-in#"
        case _:
            say(f"{' ' * len(prompt)}^\n% Invalid input detected at '^' marker.\n\n")
    return prompt


def main() -> None:
    prompt = "stand-in#"
    say("A stand-in, no device.\n\n")
    while True:
        say(prompt)
        line = sys.stdin.readline()
        if not line:
            return
        with (HERE / "told").open("a") as told:
            told.write(line)
        prompt = obey(line.split(), prompt)


main()
