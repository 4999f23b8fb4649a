"""Pictures of the main screens, light and dark, wide and phone, from a Corrente that runs: `bin/screenshots ADDRESS`.

Each screen is somebody's: the office's, as CORRENTE_NAME (admin) with CORRENTE_PASSWORD; a collector's, with CORRENTE_COLLECTOR
"NAME PASSWORD"; a subscriber's, with CORRENTE_SUBSCRIBER "E-MAIL PASSWORD"; the walled garden's, seen from the line that has the
address CORRENTE_LINE (the console has to believe a proxy for it: `[web] proxies = 1`). Those of whom nothing is given are not taken, which
is said. What a list leads to is its first row.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page
from support.browser import PHONE, WIDE, Browser, chromium

_OFFICE, _COLLECTOR, _SUBSCRIBER, _LINE = "the office", "a collector", "a subscriber", "the walled garden"
_GIVEN_BY: Final = {
    _OFFICE: "CORRENTE_PASSWORD",
    _COLLECTOR: "CORRENTE_COLLECTOR",
    _SUBSCRIBER: "CORRENTE_SUBSCRIBER",
    _LINE: "CORRENTE_LINE",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen's name, its address, if it is not that page itself the link on it that leads there, and whose it is."""

    name: str
    path: str
    link: str = ""
    of: str = _OFFICE


SCREENS: Final = (
    Screen("home", "/home"),
    Screen("online", "/online"),
    Screen("account", "/accounts?online=yes", "main tbody a[href^='/accounts/']"),
    Screen("nas", "/nases", "main a[href^='/nases/']:not([href$='/new'])"),
    Screen("drift", "/drift"),
    Screen("guard", "/guard"),
    Screen("customer", "/customers", "main tbody a[href^='/customers/']"),
    Screen("contract", "/contracts", "main tbody a[href^='/contracts/']"),
    Screen("bill-run", "/bill-runs", "main tbody a[href^='/bill-runs/']"),
    Screen("documents", "/documents"),
    Screen("document", "/documents", "main tbody a[href^='/documents/']"),
    Screen("payment", "/payments/new"),
    Screen("bank", "/bank"),
    Screen("dunning", "/dunning"),
    Screen("dunning-policy", "/dunning/policies", "main a[href^='/dunning/policies/']:not([href$='/new'])"),
    Screen("ledger", "/ledger"),
    Screen("plans", "/plans"),
    Screen("message-text", "/messages/templates/overdue/en/edit"),
    Screen("message", "/messages?state=sent", "main tbody a[href^='/messages/']"),
    Screen("collectors", "/field/collectors"),
    Screen("issuer", "/issuers", "main tbody a[href^='/issuers/']"),
    Screen("settings", "/settings"),
    Screen("staff-roles", "/roles"),
    Screen("audit", "/audit"),
    Screen("field", "/field", of=_COLLECTOR),
    Screen("field-customer", "/field", "main a[href^='/field/customers/']", of=_COLLECTOR),
    Screen("field-cash", "/field/cash", of=_COLLECTOR),
    Screen("portal", "/portal", of=_SUBSCRIBER),
    Screen("portal-usage", "/portal/usage", of=_SUBSCRIBER),
    Screen("portal-documents", "/portal/documents", of=_SUBSCRIBER),
    Screen("garden", "/garden", of=_LINE),
)
LOOKS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("wide-light", {"viewport": WIDE, "color_scheme": "light"}),
    ("wide-dark", {"viewport": WIDE, "color_scheme": "dark"}),
    ("phone-light", {"viewport": PHONE, "color_scheme": "light", "is_mobile": True, "has_touch": True}),
    ("phone-dark", {"viewport": PHONE, "color_scheme": "dark", "is_mobile": True, "has_touch": True}),
)
_SETTLED_MS: Final = 1500


def take(address: str, folder: Path, *, only: set[str]) -> int:
    """Take all screens of those who are given, or those named; how many there were not."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [screen for screen in SCREENS if not only or screen.name in only]
    missing = 0
    with chromium() as browser:
        for who in dict.fromkeys(screen.of for screen in asked):
            if not (given := os.environ.get(_GIVEN_BY[who], "")):
                print(f"Nothing of {who}: {_GIVEN_BY[who]} is not given", file=sys.stderr)
                continue
            signed_in = _as(browser, address, who, given)
            for look, options in LOOKS:
                page = browser.context(**signed_in, **options).new_page()
                for screen in (one for one in asked if one.of == who):
                    missing += not _picture(page, address, screen, folder / f"{screen.name}-{look}.png")
                page.context.close()
    return missing


def _as(browser: Browser, address: str, who: str, given: str) -> dict[str, Any]:
    """What a browser has to be given to be theirs."""
    if who == _LINE:
        return {"extra_http_headers": {"X-Forwarded-For": given}}
    page = browser.context().new_page()
    name, _, password = given.rpartition(" ")
    if who == _SUBSCRIBER:
        page.goto(f"{address}/portal/sign-in")
        page.get_by_label("E-mail or customer number").fill(name)
    else:
        page.goto(f"{address}/sign-in")
        page.get_by_label("Name").fill(name or os.environ.get("CORRENTE_NAME", "admin"))
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda there: "/sign-in" not in there or "new-password" in there)
    if "new-password" in page.url:
        raise SystemExit(f"{who}'s password is for one sign-in: choose another first, in a browser")
    state = page.context.storage_state()
    page.context.close()
    return {"storage_state": state}


def _picture(page: Page, address: str, screen: Screen, path: Path) -> bool:
    if not _open(page, address, screen):
        print(f"{path.stem}: not there", file=sys.stderr)
        return False
    page.screenshot(path=path)
    print(path.stem)
    return True


def _open(page: Page, address: str, screen: Screen) -> bool:
    answer = page.goto(address + screen.path)
    if answer is None or answer.status != 200:
        return False
    if screen.link:
        first = page.locator(screen.link).first
        if not first.count():
            return False
        page.goto(address + str(first.get_attribute("href")))
    page.wait_for_timeout(_SETTLED_MS)
    return True


def main(arguments: Sequence[str]) -> int:
    """The command line; 1 where a screen was not there."""
    parser = argparse.ArgumentParser(
        prog="bin/screenshots", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("address", metavar="ADDRESS", help="the console's, such as http://127.0.0.1:8000")
    parser.add_argument(
        "screens",
        metavar="SCREEN",
        nargs="*",
        help=f"all unless some are named: {', '.join(one.name for one in SCREENS)}",
    )
    parser.add_argument(
        "--to", metavar="FOLDER", type=Path, default=Path(os.environ.get("CORRENTE_SCREENS", "docs/screens"))
    )
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.screens) - {one.name for one in SCREENS}):
        parser.error(f"there is no screen {', '.join(unknown)}")
    gone = take(asked.address.rstrip("/"), asked.to, only=set(asked.screens))
    if gone:
        print(f"{gone} pictures could not be taken", file=sys.stderr)
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
