"""An ISP with books: an issuer with its chart of accounts and registers, taxes, products, and customers with contracts.

One builder for all tests and benchmarks of billing: set-based, so quick for 100 000 customers as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from support.small_isp import one

from billing.documents import Draft, DraftLine, Parties, Register, Source, draft_document, due_days
from billing.postings import Accounts
from billing.starting_books import CHART, METHODS, REGISTERS, SERIES
from billing.store.acting import acting
from billing.store.ledger import load_accounts, load_registers
from billing.store.parties import load_issuer, load_parties
from billing.store.tax import load_tax_tables
from billing.tax import TaxTables, treatment_for
from billing.totals import LineDraft

STARTS = date(2026, 1, 1)


@dataclass(frozen=True)
class BooksIsp:
    """The ids of what was made. Customer n of `customers` has contract n of `contracts`, whose plan is item n of `items`."""

    issuer: int
    accounts: dict[str, int]  # by code: "4100" is revenue of access
    registers: dict[str, int]  # FT invoices, RC recurring ones, NC credit notes, PR quotes, OR orders
    tax_codes: dict[str, int]  # IVA-22, IVA-10, IVA-N4 (bears stamp duty), IVA-N1
    positions: dict[str, int]  # Public bodies (split payment, by kind), Abroad (named by customers only)
    products: dict[str, int]  # Home 30 (plan), Static address (add-on), Activation (one-off), Phone, Exempt, Stamp duty
    plan: int
    customers: list[int]
    contracts: list[int]
    items: list[int]
    addresses: list[int]  # the add-on items


def make_books(
    connection: psycopg.Connection[Any],
    *,
    customers: int = 3,
    starts_on: date = STARTS,
    price: Decimal = Decimal("29.90"),
    static_address_every: int = 3,
    **terms: str,
) -> BooksIsp:
    """Make and commit it. Each contract is active since `starts_on`, monthly, nothing billed yet.

    Every `static_address_every`-th contract also has a static address for 5.00. `terms` are columns of contract_terms for
    all contracts, values as SQL: `includes_tax="true"`.
    """
    acting(connection, "maria")
    issuer, accounts, registers = _make_issuer(connection)
    tax_codes, positions = _make_taxes(connection)
    products, plan = _make_catalogue(connection, tax_codes)
    connection.execute("UPDATE stamp_duty SET product_id = %s WHERE country = 'IT'", (products["Stamp duty"],))
    people = _make_customers(connection, customers)
    contracts = _make_contracts(connection, people, plan, starts_on)
    _make_terms(connection, contracts, issuer, terms)
    items = add_items(connection, contracts, products["Home 30"], "plan", price=price, starts_on=starts_on)
    extras = contracts[static_address_every - 1 :: static_address_every]
    static = add_items(connection, extras, products["Static address"], "add_on", price=Decimal(5), starts_on=starts_on)
    connection.commit()
    return BooksIsp(issuer, accounts, registers, tax_codes, positions, products, plan, people, contracts, items, static)


def add_items(
    connection: psycopg.Connection[Any],
    contracts: Sequence[int],
    product: int,
    kind: str,
    *,
    price: Decimal,
    starts_on: date,
    months: int = 1,
) -> list[int]:
    """One recurring item on each of these contracts, due from its start, and where it stands; not committed."""
    made = connection.execute(
        """INSERT INTO contract_item (contract_id, product_id, kind, period_price, months, anchor, wanted_day, starts_on)
        SELECT c, %(product)s, %(kind)s, %(price)s, %(months)s, %(start)s, extract(day FROM %(start)s::date), %(start)s
        FROM unnest(%(contracts)s::bigint[]) WITH ORDINALITY AS t (c, n) ORDER BY n RETURNING id""",
        {
            "product": product,
            "kind": kind,
            "price": price,
            "months": months,
            "start": starts_on,
            "contracts": list(contracts),
        },
    ).fetchall()
    items = [number for (number,) in made]
    connection.execute(
        "INSERT INTO billing_position (item_id, billed_through, due_on) SELECT i, %s, %s FROM unnest(%s::bigint[]) AS i",
        (starts_on, starts_on, items),
    )
    return items


@dataclass(frozen=True)
class Desk:
    """What drafts are made from, read once."""

    isp: BooksIsp
    parties: dict[int, Parties]
    tables: TaxTables
    accounts: Accounts
    registers: dict[str, Register]

    def line(
        self,
        net: str,
        *,
        product: str = "Home 30",
        customer: int = 0,
        quantity: str = "1",
        day: date = STARTS,
        **source: Any,
    ) -> DraftLine:
        """A line of a product at a price each, taxed as for the customer of that place in the list."""
        number = self.isp.products[product]
        code = self.isp.tax_codes[
            "IVA-N4" if product == "Exempt" else "IVA-N1" if product == "Stamp duty" else "IVA-22"
        ]
        taxed = self.parties[self.isp.customers[customer]].customer.taxed
        treatment = treatment_for(code, taxed, issuer_id=self.isp.issuer, day=day, tables=self.tables)
        family = "voice" if product == "Phone" else "access" if product in ("Home 30", "Static address") else "other"
        priced = LineDraft(product, Decimal(quantity), Decimal(net), treatment)
        return DraftLine(priced, self.accounts.revenue(number, family), Source(product_id=number, **source))

    def invoice(
        self, *lines: DraftLine, customer: int = 0, register: str = "FT", day: date = STARTS, **more: Any
    ) -> Draft:
        """An invoice of these lines, due after 15 days."""
        given = {"currency": "EUR", "includes_tax": False, "due_on": due_days(day, (15,)), **more}
        return draft_document(
            lines,
            self.parties[self.isp.customers[customer]],
            register=self.registers[register],
            document_date=day,
            **given,
        )


def desk(connection: psycopg.Connection[Any], isp: BooksIsp) -> Desk:
    """Read what drafts are made from."""
    issuer = load_issuer(connection, isp.issuer)
    customers = load_parties(connection, isp.customers)
    registers = {register.code: register for register in load_registers(connection, isp.issuer)}
    parties = {number: Parties(issuer, party) for number, party in customers.items()}
    return Desk(isp, parties, load_tax_tables(connection), load_accounts(connection, isp.issuer), registers)


def _make_issuer(connection: psycopg.Connection[Any]) -> tuple[int, dict[str, int], dict[str, int]]:
    issuer = one(
        connection,
        "INSERT INTO issuer (name, country, vat_number, tax_number, street, postal_code, city, province, tax_regime)"
        " VALUES ('Example Net', 'IT', '01234560017', '01234560017', 'Via Roma 1', '10121', 'Torino', 'TO', 'RF01') RETURNING id",
    )
    accounts = {
        account.code: one(
            connection,
            "INSERT INTO ledger_account (issuer_id, code, name, role, family) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            *(issuer, account.code, account.name, account.role, account.family),
        )
        for account in CHART
    }
    registers = {
        register.code: one(
            connection,
            "INSERT INTO document_register (issuer_id, code, kind, name, purpose) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            *(issuer, register.code, register.kind, register.name, register.purpose),
        )
        for register in REGISTERS
    }
    for method in METHODS:
        connection.execute(
            "INSERT INTO payment_method (issuer_id, code, name, kind, returns_days) VALUES (%s, %s, %s, %s, %s)",
            (issuer, method.code, method.name, method.kind, method.returns_days),
        )
    for series in SERIES:
        connection.execute(
            "INSERT INTO number_series (issuer_id, code, kind, name) VALUES (%s, %s, %s, %s)",
            (issuer, series.code, series.kind, series.name),
        )
    return issuer, accounts, registers


def _make_taxes(connection: psycopg.Connection[Any]) -> tuple[dict[str, int], dict[str, int]]:
    codes = {
        name: one(
            connection,
            "INSERT INTO tax_code (name, nature, legal_reference, bears_stamp) VALUES (%s, %s, %s, %s) RETURNING id",
            *(name, nature, law, stamp),
        )
        for name, nature, law, stamp in (
            ("IVA-22", None, None, False),
            ("IVA-10", None, None, False),
            ("IVA-N4", "N4", "art. 10 DPR 633/72", True),
            ("IVA-N1", "N1", "art. 15 DPR 633/72", False),
        )
    }
    for name, percent in (("IVA-22", 22), ("IVA-10", 10), ("IVA-N4", 0), ("IVA-N1", 0)):
        connection.execute(
            "INSERT INTO tax_rate (tax_code_id, during, percent) VALUES (%s, '[2013-10-01,)', %s)",
            (codes[name], percent),
        )
    connection.execute(
        "INSERT INTO stamp_duty (country, currency, during, above, amount) VALUES ('IT', 'EUR', '[2013-06-26,)', 77.47, 2.00)"
    )
    positions = {
        name: one(
            connection,
            "INSERT INTO fiscal_position (name, liability, priority, customer_kind) VALUES (%s, %s, %s, %s) RETURNING id",
            *(name, liability, priority, kind),
        )
        for name, liability, priority, kind in (
            ("Public bodies", "split", 10, "public_body"),
            ("Abroad", "immediate", None, None),
        )
    }
    connection.execute(
        "INSERT INTO fiscal_position_tax VALUES (%s, %s, %s)", (positions["Abroad"], codes["IVA-22"], codes["IVA-N4"])
    )
    return codes, positions


def _make_catalogue(connection: psycopg.Connection[Any], codes: dict[str, int]) -> tuple[dict[str, int], int]:
    profile = one(
        connection,
        "INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('books', 100000000, 20000000) RETURNING id",
    )
    plan = one(
        connection,
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('books', %s, %s, %s) RETURNING id",
        *(profile, profile, profile),
    )
    products = {}
    for name, kind, family, code, price in (
        ("Home 30", "plan", "access", "IVA-22", "29.90"),
        ("Static address", "add_on", "access", "IVA-22", "5.00"),
        ("Activation", "one_off", "installation", "IVA-22", "49.00"),
        ("Phone", "add_on", "voice", "IVA-22", "4.00"),
        ("Exempt", "one_off", "training", "IVA-N4", "100.00"),
        ("Stamp duty", "one_off", "stamp_duty", "IVA-N1", None),
    ):
        products[name] = one(
            connection,
            "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            *(name, kind, plan if kind == "plan" else None, family, codes[code]),
        )
        if price is not None:
            connection.execute(
                "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', %s, '[2020-01-01,)')",
                (products[name], price),
            )
    for name, text in (("Home 30", "Casa 30"), ("Stamp duty", "Imposta di bollo")):
        connection.execute("INSERT INTO product_text VALUES (%s, 'it', %s)", (products[name], text))
    return products, plan


def _make_customers(connection: psycopg.Connection[Any], count: int) -> list[int]:
    made = connection.execute(
        "INSERT INTO customer (name, given_name, family_name, language)"
        " SELECT 'Anna Rossi ' || n, 'Anna', 'Rossi ' || n, 'it' FROM generate_series(1, %s) AS n ORDER BY n RETURNING id",
        (count,),
    ).fetchall()
    people = [number for (number,) in made]
    connection.execute(
        "INSERT INTO address (customer_id, kind, street, house_number, postal_code, city, province, country)"
        " SELECT c, 'legal', 'Via Po', n::text, '10124', 'Torino', 'TO', 'IT' FROM unnest(%s::bigint[]) WITH ORDINALITY AS t (c, n)",
        (people,),
    )
    connection.execute(
        "INSERT INTO tax_identifier (customer_id, scheme, number)"
        " SELECT c, 'it.codicefiscale', 'RSSNNA80A41L' || lpad((n %% 1000)::text, 3, '0') || chr(65 + (n %% 26)::integer)"
        " FROM unnest(%s::bigint[]) WITH ORDINALITY AS t (c, n)",
        (people,),
    )
    return people


def _make_contracts(connection: psycopg.Connection[Any], people: list[int], plan: int, starts_on: date) -> list[int]:
    made = connection.execute(
        "INSERT INTO contract (customer_id, plan_id, status, starts_on)"
        " SELECT c, %s, 'active', %s FROM unnest(%s::bigint[]) WITH ORDINALITY AS t (c, n) ORDER BY n RETURNING id",
        (plan, starts_on, people),
    ).fetchall()
    return [number for (number,) in made]


def _make_terms(connection: psycopg.Connection[Any], contracts: list[int], issuer: int, terms: dict[str, str]) -> None:
    row = {"issuer_id": str(issuer), "currency": "'EUR'", "billable_from": "k.starts_on", **terms}
    connection.execute(
        f"INSERT INTO contract_terms (contract_id, {', '.join(row)})"
        f" SELECT k.id, {', '.join(row.values())} FROM contract AS k WHERE k.id = ANY(%s)",
        (contracts,),
    )
