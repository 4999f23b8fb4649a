"""What a policy of dunning names that there is not: products of fees, methods by which nobody is known to pay.

For the command and the page alike, beside what the law and the policy's own rules say (billing/dunning/policy_errors.py).
"""

from __future__ import annotations

from typing import Any

import psycopg

from billing.dunning.policy import Policy
from billing.store.contract_items import find_product
from billing.store.gateways import load_gateway_accounts
from control_plane.gateways.provider import provider_for

Connection = psycopg.Connection[Any]


def policy_faults(connection: Connection, policy: Policy, *, issuer_id: int | None = None) -> list[str]:
    """What it names that there is not, a line each; nothing: it may be saved."""
    missing = [
        f"step {step.code}: fee_product: there is no one-off product {step.fee_product!r}"
        for step in policy.steps
        if step.fee_product and find_product(connection, step.fee_product) is None
    ]
    if not policy.scope.methods:
        return missing
    accounts = load_gateway_accounts(connection, issuer_id=issuer_id)
    collected = {one.method.code for one in accounts if "debit" in provider_for(one.provider).presents}
    by = ", ".join(sorted(collected)) or "none"
    return missing + [
        f"policy: scope.methods: nobody is known to pay by {one!r}: a customer's method is the one of their mandate ({by})"
        for one in sorted(policy.scope.methods - collected)
    ]
