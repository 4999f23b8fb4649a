"""A contract's page in words: its head, terms, discounts, items and what waits. Days behind `until` are the first ones not covered."""

from __future__ import annotations

from typing import Any

import click

from billing.store.contract_page import ContractPage
from control_plane.cli._amounts import amount_words
from control_plane.cli._console import print_table
from control_plane.cli._contract_deed import charge_words


def print_head(page: ContractPage) -> None:
    """Whose it is, how it stands and on what terms."""
    row = page.contract
    click.echo(f"Contract {row.id} of {row.customer} ({row.customer_id}): {row.status}, plan {row.plan}")
    days = [f"from {row.starts_on}" if row.starts_on else "", f"until {row.ends_on}" if row.ends_on else ""]
    click.echo(f"service    {' '.join(one for one in days if one) or 'not begun'}")
    if not page.terms:
        click.echo("terms      none: nobody bills it")
        return
    click.echo(f"terms      {terms_words(page)}")


def terms_words(page: ContractPage) -> str:
    """Who bills it, how, and how long it binds."""
    terms = page.terms
    taxed = "with" if terms["includes_tax"] else "without"
    said = [
        f"billed by {page.contract.issuer} in {terms['currency']}, prices {taxed} tax",
        terms["timing"],
        f"due after {terms['due_days']} days",
    ]
    term = "minimum_until" if terms["minimum_until"] is not None else "minimum_months"
    for name, words in (
        ("billable_from", "billable from {}"),
        (term, "minimum term until {}" if term == "minimum_until" else "minimum term of {} months"),
        ("renew_months", "renewed by {} months"),
        ("notice_days", "notice {} days"),
        ("free_from", "free from {}"),
        ("free_reason", "because {}"),
        ("free_review_on", "looked at on {}"),
        ("plan_locked_until", "plan locked until {}"),
        ("billing_group", "group {}"),
        *([("valid_until", "proposal holds to {}")] if page.contract.status in ("draft", "proposal") else []),
    ):
        if terms[name] is not None:
            said.append(words.format(terms[name]))
            if name == term and terms["renew_months"] is None:
                said.append("then it ends")
    return ", ".join(said)


def discount_words(discount: dict[str, Any]) -> str:
    """`50 percent from 2026-11-10 until 2027-02-10: promotion Autumn`."""
    until = f" until {discount['end']}" if discount["end"] else ""
    return f"{discount['value'].normalize():f} {discount['kind']} from {discount['start']}{until}: {discount['reason']}"


def print_parts(page: ContractPage) -> None:
    """Changes to come, discounts, days not paid, notices, items, and what waits to be billed."""
    for change in page.plan_changes:
        click.echo(f"plan       {change['plan']} from {change['effective_on']}, placed by {change['placed_by']}")
    for discount in page.discounts:
        click.echo(f"discount   {discount_words(discount)}")
    for stop in page.stops:
        click.echo(f"not paid   {stop['start']} until {stop['end'] or 'further notice'}: {stop['reason']}")
    for notice in page.notices:
        sent = f"sent {notice['sent_at']:%Y-%m-%d}" if notice["sent_at"] else "to be sent"
        click.echo(f"notice     {notice['kind']} due {notice['due_on']}, {sent}")
    if page.items:
        print_table(
            ("ITEM", "PRODUCT", "QUANTITY", "PRICE", "MONTHS", "FROM", "UNTIL", "BILLED UNTIL", "DUE"),
            (
                (
                    one.id,
                    one.product,
                    f"{one.quantity.normalize():f}",
                    amount_words(one.price, page.terms["currency"]),
                    one.months,
                    one.starts_on,
                    one.ends_on,
                    one.billed_through,
                    one.due_on,
                )
                for one in page.items
            ),
            empty="",
        )
    for charge in page.waiting:
        click.echo(f"waits      {charge_words(charge)}")
