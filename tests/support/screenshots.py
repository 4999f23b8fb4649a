"""Pictures of the console's main screens, light and dark, wide and phone, from one that runs: `bin/screenshots ADDRESS`.

Signs in through the page itself, as CORRENTE_NAME (admin) with CORRENTE_PASSWORD. What a list leads to is its first row.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page
from support.browser import PHONE, WIDE, chromium

FOLDER: Final = Path(os.environ.get("CORRENTE_SCREENS", "docs/screens"))
# Name, address, and if it is not that page itself the link on it that leads there.
SCREENS: Final = (
    ("home", "/home", ""),
    ("online", "/online", ""),
    ("account", "/accounts?online=yes", "main tbody a[href^='/accounts/']"),
    ("nas", "/nases", "main a[href^='/nases/']:not([href$='/new'])"),
    ("drift", "/drift", ""),
    ("guard", "/guard", ""),
    ("customer", "/customers", "main tbody a[href^='/customers/']"),
    ("contract", "/contracts", "main tbody a[href^='/contracts/']"),
    ("bill-run", "/bill-runs", "main tbody a[href^='/bill-runs/']"),
    ("documents", "/documents", ""),
    ("document", "/documents", "main tbody a[href^='/documents/']"),
    ("payment", "/payments/new", ""),
    ("bank", "/bank", ""),
    ("e-invoices", "/einvoices", ""),
    ("dunning", "/dunning", ""),
    ("ledger", "/ledger", ""),
    ("plans", "/plans", ""),
    ("message-text", "/messages/templates/overdue/en/edit", ""),
    ("message", "/messages?state=sent", "main tbody a[href^='/messages/']"),
    ("issuer", "/issuers", "main tbody a[href^='/issuers/']"),
    ("settings", "/settings", ""),
    ("staff-roles", "/roles", ""),
    ("audit", "/audit", ""),
)
LOOKS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("wide-light", {"viewport": WIDE, "color_scheme": "light"}),
    ("wide-dark", {"viewport": WIDE, "color_scheme": "dark"}),
    ("phone-light", {"viewport": PHONE, "color_scheme": "light", "is_mobile": True, "has_touch": True}),
    ("phone-dark", {"viewport": PHONE, "color_scheme": "dark", "is_mobile": True, "has_touch": True}),
)
_SETTLED_MS: Final = 1500


def take(address: str, *, name: str, password: str, only: set[str]) -> int:
    """Take all of them, or those named; how many screens there were not."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = 0
    with chromium() as browser:
        context = browser.context()
        state = _signed_in(context.new_page(), address, name, password)
        for look, options in LOOKS:
            page = browser.context(storage_state=state, **options).new_page()
            for screen, path, link in SCREENS:
                if only and screen not in only:
                    continue
                if _open(page, address, path, link):
                    page.screenshot(path=FOLDER / f"{screen}-{look}.png")
                    print(f"{screen}-{look}")
                else:
                    print(f"{screen}-{look}: not there", file=sys.stderr)
                    missing += 1
    return missing


def _signed_in(page: Page, address: str, name: str, password: str) -> Any:
    page.goto(f"{address}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.locator("button[data-once]").click()
    page.wait_for_url(lambda there: "/sign-in" not in there or "new-password" in there)
    if "new-password" in page.url:
        raise SystemExit("this password is for one sign-in: choose one of your own first, in a browser")
    return page.context.storage_state()


def _open(page: Page, address: str, path: str, link: str) -> bool:
    answer = page.goto(address + path)
    if answer is None or answer.status != 200:
        return False
    if link:
        first = page.locator(link).first
        if not first.count():
            return False
        page.goto(address + str(first.get_attribute("href")))
    page.wait_for_timeout(_SETTLED_MS)
    return True


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.environ.get("CORRENTE_PASSWORD"):
        sys.exit("CORRENTE_PASSWORD=… bin/screenshots http://127.0.0.1:8000 [SCREEN…]")
    gone = take(
        sys.argv[1].rstrip("/"),
        name=os.environ.get("CORRENTE_NAME", "admin"),
        password=os.environ["CORRENTE_PASSWORD"],
        only=set(sys.argv[2:]),
    )
    sys.exit(f"{gone} pictures could not be taken" if gone else 0)
