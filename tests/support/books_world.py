"""One legal row of every table of the books, beside the rows of legal_world. Values are SQL."""

from __future__ import annotations

from typing import Final

PARTY_ROWS: Final[dict[str, dict[str, str]]] = {
    "issuer": {
        "name": "'Example Net 2'",
        "country": "'IT'",
        "street": "'Via Roma'",
        "postal_code": "'10100'",
        "city": "'Torino'",
    },
    "tax_identifier": {"customer_id": "1", "scheme": "'it.iva'", "number": "'01234560017'"},
    "address": {
        "customer_id": "1",
        "kind": "'service'",
        "street": "'Via Po'",
        "postal_code": "'10100'",
        "city": "'Torino'",
        "country": "'IT'",
        "latitude": "45.066667",
        "longitude": "7.7",
    },
    "contact": {"customer_id": "1", "role": "'technical'", "name": "'Bruno'", "parent_id": "1"},
    "consent": {
        "customer_id": "1",
        "purpose": "'marketing'",
        "channel": "'email'",
        "given": "true",
        "wording": "'I want offers.'",
        "taken_by": "'maria'",
    },
    "note": {"customer_id": "1", "text": "'Rings at noon.'", "author": "'maria'"},
    "attachment": {
        "customer_id": "1",
        "name": "'contract.pdf'",
        "media_type": "'application/pdf'",
        "content": "'\\x25'",
        "author": "'maria'",
    },
}
PARTY_FIRST: Final[dict[str, dict[str, str]]] = {
    "issuer": {"name": "'Example Net'"},
    "tax_identifier": {"scheme": "'it.codicefiscale'", "number": "'RSSMRA80A01H501U'"},
    "contact": {"role": "'main'", "parent_id": "NULL"},
}

CATALOGUE_ROWS: Final[dict[str, dict[str, str]]] = {
    "tax_code": {
        "name": "'IVA-N4'",
        "nature": "'N4'",
        "legal_reference": "'art. 10 DPR 633/72'",
        "bears_stamp": "true",
    },
    "tax_rate": {"tax_code_id": "1", "during": "'[2027-01-01,)'", "percent": "23"},
    "stamp_duty": {"country": "'IT'", "during": "'[2027-01-01,)'", "above": "77.47", "amount": "2.00"},
    "fiscal_position": {"name": "'Public bodies'", "liability": "'split'", "priority": "10", "countries": "'{IT}'"},
    "fiscal_position_tax": {"fiscal_position_id": "1", "from_tax_code_id": "2", "to_tax_code_id": "1"},
    "exemption": {
        "customer_id": "1",
        "tax_code_id": "1",
        "during": "'[2027-01-01,2028-01-01)'",
        "legal_reference": "'declaration 12/2027'",
        "placed_by": "'maria'",
    },
    "product": {"name": "'Static address'", "kind": "'add_on'", "family": "'access'", "tax_code_id": "1"},
    "product_text": {"product_id": "1", "language": "'it'", "text": "'Casa 30'"},
    "price": {"product_id": "1", "currency": "'EUR'", "unit_price": "29.90", "during": "'[2027-01-01,)'"},
    "early_exit_cost": {"product_id": "1", "from_month": "12", "currency": "'EUR'", "amount": "50.00"},
    "promotion": {
        "name": "'Autumn'",
        "kind": "'percent'",
        "value": "50",
        "months": "3",
        "offered": "'[2026-09-01,2026-12-01)'",
    },
}
CATALOGUE_FIRST: Final[dict[str, dict[str, str]]] = {
    "tax_code": {"name": "'IVA-22'", "nature": "NULL", "legal_reference": "NULL", "bears_stamp": "false"},
    "tax_rate": {"during": "'[2013-10-01,2027-01-01)'", "percent": "22"},
    "stamp_duty": {"during": "'[2013-06-26,2027-01-01)'"},
    "fiscal_position": {"name": "'Abroad'", "priority": "NULL"},
    "fiscal_position_tax": {"from_tax_code_id": "1"},
    "exemption": {"during": "'[2026-01-01,2027-01-01)'"},
    "product": {"name": "'Home 30'", "kind": "'plan'", "plan_id": "1", "minimum_months": "24", "notice_days": "30"},
    "product_text": {"language": "'en'"},
    "price": {"during": "'[2026-01-01,2027-01-01)'"},
    "early_exit_cost": {"from_month": "0"},
    "promotion": {"name": "'Spring'"},
}

TERMS_ROWS: Final[dict[str, dict[str, str]]] = {
    "contract_terms": {"contract_id": "7", "issuer_id": "1", "currency": "'EUR'"},
    "contract_item": {
        "contract_id": "1",
        "product_id": "1",
        "kind": "'plan'",
        "period_price": "29.90",
        "months": "1",
        "anchor": "'2027-01-31'",
        "wanted_day": "31",
        "starts_on": "'2027-01-31'",
    },
    "instalment": {"item_id": "1", "number": "2", "due_on": "'2026-02-01'", "amount": "10"},
    "discount": {
        "contract_id": "1",
        "kind": "'percent'",
        "value": "50",
        "during": "'[2026-01-01,2026-04-01)'",
        "reason": "'spring'",
        "placed_by": "'maria'",
    },
    "billing_stop": {
        "contract_id": "1",
        "during": "'[2026-08-01,2026-09-01)'",
        "rule": "'credit_days'",
        "reason": "'pause'",
        "placed_by": "'maria'",
    },
    "contract_notice": {"contract_id": "1", "kind": "'renewal'", "due_on": "'2027-11-01'"},
    "contract_event": {
        "contract_id": "1",
        "actor": "'maria'",
        "event": "'address_moved'",
        "status_before": "'active'",
        "status_after": "'active'",
    },
}
TERMS_FIRST: Final[dict[str, dict[str, str]]] = {
    "contract_terms": {"contract_id": "1"},
    "contract_item": {
        "starts_on": "'2026-01-31'",
        "ends_on": "'2027-01-31'",
        "anchor": "'2026-01-31'",
    },
    "instalment": {"number": "1", "amount": "29.90"},
    "billing_stop": {"during": "'[2025-08-01,2025-09-01)'"},
    "contract_notice": {"due_on": "'2026-11-01'"},
}

LEDGER_ROWS: Final[dict[str, dict[str, str]]] = {
    "ledger_account": {"issuer_id": "1", "code": "'4200'", "name": "'Fees'", "role": "'fee_income'"},
    "fiscal_period": {"issuer_id": "1", "during": "'[2025-01-01,2025-02-01)'", "closed_by": "'maria'"},
    "entry": {
        "issuer_id": "1",
        "dated": "'2026-03-01'",
        "source": "'payment'",
        "source_id": "1",
        "kind": "'received'",
        "currency": "'EUR'",
        "made_by": "'maria'",
    },
    "posting": {"entry_id": "1", "number": "4", "account_id": "1", "customer_id": "1", "amount": "1"},
    "customer_balance": {"customer_id": "1", "issuer_id": "1", "currency": "'USD'", "balance": "0"},
    "billing_run": {"issuer_id": "1", "run_date": "'2026-04-01'", "started_by": "'job billing'"},
    "billing_error": {"run_id": "1", "customer_id": "1", "contract_id": "1", "reason": "'no tax code'"},
    "document_register": {"issuer_id": "1", "code": "'NC'", "kind": "'credit_note'", "name": "'Credit notes'"},
    "register_year": {"register_id": "1", "year": "2027"},
    "document": {
        "kind": "'invoice'",
        "issuer_id": "1",
        "customer_id": "1",
        "register_id": "1",
        "document_date": "'2026-03-01'",
        "currency": "'EUR'",
        "includes_tax": "false",
        "net": "100",
        "tax": "22",
        "gross": "122",
        "payable": "122",
        "issuer_data": "'{}'",
        "customer_data": "'{}'",
        "language": "'it'",
        "made_by": "'maria'",
    },
    "document_line": {
        "document_id": "1",
        "number": "2",
        "description": "'Casa 30'",
        "quantity": "1",
        "unit_price": "100",
        "net": "100",
        "tax_code_id": "1",
        "rate": "22",
        "liability": "'immediate'",
    },
    "document_tax": {"document_id": "1", "rate": "10", "liability": "'immediate'", "base": "100", "tax": "22"},
    "document_due": {"document_id": "1", "number": "2", "due_on": "'2026-03-16'", "amount": "122"},
    "credited_line": {"document_id": "1", "number": "1", "net": "100", "credited": "0"},
    "charge": {
        "item_id": "1",
        "kind": "'period'",
        "during": "'[2026-02-28,2026-03-31)'",
        "units": "31",
        "of": "31",
        "full_price": "29.90",
        "net": "29.90",
        "currency": "'EUR'",
        "due_on": "'2026-02-28'",
        "made_by": "'job billing'",
    },
    "billing_position": {"item_id": "7", "billed_through": "'2026-02-28'"},
}
LEDGER_FIRST: Final[dict[str, dict[str, str]]] = {
    "ledger_account": {"code": "'1500'", "name": "'Customers'", "role": "'customers'"},
    "fiscal_period": {"during": "'[2024-12-01,2025-01-01)'"},
    "entry": {"source": "'document'", "kind": "'invoice'"},
    "billing_run": {"run_date": "'2026-03-01'"},
    "billing_error": {"contract_id": "NULL"},
    "document_register": {"code": "'FT'", "kind": "'invoice'", "name": "'Invoices'"},
    "register_year": {"year": "2026"},
    "document_line": {"number": "1"},
    "document_tax": {"rate": "22"},
    "document_due": {"number": "1"},
    "charge": {"during": "'[2026-01-31,2026-02-28)'", "units": "28", "of": "28"},
    "billing_position": {"item_id": "1"},
}
# What one row can't be: accounts and the three legs of the invoice's entry, which is still a draft.
LEDGER_LEGS: Final = (
    "INSERT INTO ledger_account (issuer_id, code, name, role, family) VALUES"
    " (1, '2600', 'VAT', 'vat_output', NULL), (1, '4100', 'Access', 'revenue', 'access');"
    " INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES"
    " (1, 1, 1, 1, 122), (1, 2, 2, NULL, -22), (1, 3, 3, NULL, -100)"
)
