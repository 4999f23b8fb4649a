"""The console's ISP with bills: one run of the product's own over the demo's contracts, and forms that are sent as a browser sends them."""

from __future__ import annotations

import re
import threading
from datetime import UTC, date, datetime
from typing import Any, Final

from flask.testing import FlaskClient
from support.console_world import Console
from werkzeug.test import TestResponse

from billing.banking.layout import Layout
from billing.runs.billing_run import confirm, issue_run
from billing.runs.preview import prepare_run
from billing.store.acting import acting
from billing.store.bank_files import save_bank_account, save_layout
from billing.store.due_work import Scope
from billing.store.payments import load_methods
from control_plane import db

RUN_DAY: Final = date(2026, 6, 1)


def bill_everybody(console: Console, *, day: date = RUN_DAY) -> int:
    """Issue what is due up to a day; the issuer's number."""
    stop = threading.Event()
    with db.connect(console.conninfo, name="test", origin="command", autocommit=True) as connection:
        issuer = int(connection.execute("SELECT min(id) FROM issuer").fetchone()[0])
        run = prepare_run(connection, issuer, run_date=day, scope=Scope(), by="maria", stop=stop)
        with connection.transaction():
            run = confirm(connection, run, by="maria")
        issue_run(
            lambda: db.connect(console.conninfo, name="test", origin="command", autocommit=True),
            run,
            made_by="maria",
            stop=stop,
            batch=100,
            workers=1,
        )
    return issuer


def debtors(console: Console, *, count: int) -> list[dict[str, Any]]:
    """Customers with exactly one open invoice: its id, label and what is open."""
    rows = console.query(
        "SELECT o.customer_id, c.name, min(o.document_id), min(d.label), sum(o.open), min(o.due_on) FROM open_document o JOIN customer c ON c.id = o.customer_id"
        " JOIN document d ON d.id = o.document_id WHERE o.open > 0 GROUP BY 1, 2 HAVING count(*) = 1 ORDER BY 1 LIMIT %s",
        (count,),
    )
    names = ("customer", "name", "document", "label", "open", "due_on")
    return [dict(zip(names, row, strict=True)) for row in rows]


def bank_account(console: Console, issuer: int) -> int:
    """An account at a bank that writes CSV; its number."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        acting(connection, "maria")
        method = next(one for one in load_methods(connection, issuer) if one.code == "transfer")
        number = save_bank_account(
            connection,
            issuer_id=issuer,
            name="Main",
            account="IT60X0542811101000000123456",
            currency="EUR",
            method_id=method.id,
            automatic_from=90,
        )
        save_layout(
            connection,
            number,
            Layout(
                booked_on="Data",
                value_on="Valuta",
                text=("Descrizione",),
                amount="Importo",
                party="Ordinante",
                separator=";",
                decimal=",",
                day_form="DD/MM/YYYY",
            ),
        )
        connection.commit()
    return number


def bank_file(*rows: tuple[object, str, str]) -> bytes:
    """A file of that bank, of today: amount, text and who paid, a row each."""
    day = datetime.now(UTC).strftime("%d/%m/%Y")
    lines = [f"{day};{day};{text};{str(amount).replace('.', ',')};{party}" for amount, text, party in rows]
    return "\n".join(("Data;Valuta;Descrizione;Importo;Ordinante", *lines, "")).encode()


def hidden(page: str) -> dict[str, str]:
    """What the form of a page sends along: its secret, its key, what it was shown."""
    found = dict(re.findall(r'<input type="hidden" name="(csrf_token|once_key|seen)" value="([^"]*)"', page))
    assert "csrf_token" in found, page[:2000]
    return found


def fields_of(page: str) -> dict[str, list[str]]:
    """Every hidden field of a page, by name."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page):
        if name not in found or name not in ("csrf_token",):
            found.setdefault(name, []).append(value)
    return found


def send(client: FlaskClient, path: str, **typed: Any) -> TestResponse:
    """Open a form and send it once."""
    return client.post(path, data={**hidden(client.get(path).text), **typed})


def send_confirmed(client: FlaskClient, path: str, **typed: Any) -> tuple[TestResponse, TestResponse]:
    """Open a form, send it, and send the page again that says what it will do: both answers."""
    shown = send(client, path, **typed)
    return shown, client.post(path, data={**typed, **hidden(shown.text), "confirmed": "yes"})
