"""For every constraint of the books: a statement it must refuse, and the legal neighbour it must let pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

# A column, something that is wrong in it, and something that is right.
_BAD: Final = (
    ("issuer", "name", "''", "'Example Net 3'"),
    ("issuer", "vat_number", "'IT 01234560017'", "'01234560017'"),
    ("issuer", "tax_number", "'abc'", "'H&E951128469'"),
    ("issuer", "street", "''", "'Via Roma'"),
    ("issuer", "postal_code", "''", "'10100'"),
    ("issuer", "city", "''", "'Torino'"),
    ("issuer", "email", "'post at example.net'", "'post@example.net'"),
    ("issuer", "iban", "'IT60 X054'", "'IT60X0542811101000000123456'"),
    ("issuer", "confirm_hours", "721", "0"),
    ("issuer", "bank_days", "'it'", "'IT-TO'"),
    ("issuer", "minimum_document", "0", "5"),
    ("issuer", "minimum_document", "0.001", "0.01"),
    ("customer", "given_name", "''", "NULL"),
    ("customer", "family_name", "''", "NULL"),
    ("customer", "external_reference", "'C 17'", "'C-17'"),
    ("tax_identifier", "scheme", "'iva'", "'ar.cuit'"),
    ("tax_identifier", "number", "'it 0123'", "'ZUÑ920208KL4'"),
    ("address", "street", "''", "'Via Po'"),
    ("address", "city", "''", "'Torino'"),
    ("address", "latitude", "90.1", "-90"),
    ("address", "longitude", "180.1", "-180"),
    ("contact", "name", "''", "'Bruno'"),
    ("contact", "email", "'bruno'", "'bruno@example.net'"),
    ("contact", "phone", "'011 5551234'", "'+390115551234'"),
    ("contact", "mobile", "'3395551234'", "'+393395551234'"),
    ("consent", "purpose", "'Marketing'", "'profiling'"),
    ("consent", "channel", "'e-mail'", "'sms'"),
    ("consent", "wording", "''", "'Yes.'"),
    ("consent", "taken_by", "''", "'portal'"),
    ("note", "text", "''", "'Called.'"),
    ("note", "author", "''", "'bruno'"),
    ("attachment", "name", "'../contract.pdf'", "'offer 2.pdf'"),
    ("attachment", "media_type", "'pdf'", "'image/jpeg'"),
    ("attachment", "content", "''", "'\\x00'"),
    ("attachment", "author", "''", "'bruno'"),
    ("tax_code", "name", "'IVA 22'", "'IVA_22.0'"),
    ("tax_code", "nature", "'n4'", "'N2.2'"),
    ("tax_code", "legal_reference", "repeat('x', 101)", "repeat('x', 100)"),
    ("tax_rate", "percent", "100.1", "0"),
    ("stamp_duty", "above", "-1", "0"),
    ("stamp_duty", "amount", "0", "16"),
    ("fiscal_position", "name", "''", "'Livigno'"),
    ("fiscal_position", "priority", "0", "1000"),
    ("fiscal_position", "postal_prefix", "'23041%'", "'23041'"),
    ("exemption", "legal_reference", "''", "'declaration 1'"),
    ("exemption", "placed_by", "''", "'bruno'"),
    ("product", "name", "''", "'Home 100'"),
    ("product", "family", "'Access'", "'voice_2'"),
    ("product", "offered", "'empty'", "'[2026-01-01,)'"),
    ("product_text", "text", "''", "'Casa'"),
    ("price", "months", "13", "12"),
    ("price", "unit_price", "-0.01", "0"),
    ("price", "during", "'empty'", "'[2028-01-01,)'"),
    ("early_exit_cost", "from_month", "120", "119"),
    ("early_exit_cost", "amount", "-1", "0"),
    ("early_exit_cost", "amount", "0.001", "0.01"),
    ("pause_fee", "amount", "0", "0.01"),
    ("pause_fee", "amount", "0.001", "0.01"),
    ("promotion", "name", "''", "'Winter'"),
    ("promotion", "value", "0", "100"),
    ("promotion", "family", "'TV'", "'tv'"),
    ("promotion", "months", "0", "120"),
    ("promotion", "priority", "0", "1000"),
    ("promotion", "offered", "'empty'", "'[2028-01-01,)'"),
    ("contract_terms", "billing_group", "'a;b'", "'office 2'"),
    ("contract_terms", "due_days", "181", "0"),
    ("contract_terms", "fixed_day", "32", "31"),
    ("contract_terms", "lead_days", "61", "60"),
    ("contract_terms", "trial_days", "0", "1"),
    ("contract_terms", "renew_months", "0", "1"),
    ("contract_terms", "notice_days", "366", "0"),
    ("contract_terms", "minimum_months", "121", "120"),
    ("contract_item", "quantity", "0", "0.5"),
    ("contract_item", "period_price", "-1", "0"),
    ("contract_item", "months", "13", "12"),
    ("instalment", "amount", "-1", "0"),
    ("discount", "family", "'TV'", "'tv'"),
    ("discount", "value", "0", "100"),
    ("discount", "priority", "0", "1000"),
    ("discount", "reason", "''", "'x'"),
    ("discount", "placed_by", "''", "'x'"),
    ("billing_stop", "rule", "'bill'", "'stop'"),
    ("billing_stop", "reason", "''", "'x'"),
    ("billing_stop", "placed_by", "''", "'x'"),
    ("contract_notice", "kind", "'bye'", "'expiry'"),
    ("contract_notice", "channel", "'E-mail'", "'email'"),
    ("contract_event", "actor", "''", "'x'"),
    ("contract_event", "event", "'Moved!'", "'moved'"),
    ("contract_event", "detail", "'[]'", "'{}'"),
)
# What only a product of kind plan has.
_OF_A_PLAN: Final = ("minimum_months", "renew_months", "notice_days")
_REFERENCES: Final = (
    ("tax_identifier", "customer_id"),
    ("address", "customer_id"),
    ("contact", "customer_id"),
    ("consent", "customer_id"),
    ("note", "customer_id"),
    ("attachment", "customer_id"),
    ("customer", "fiscal_position_id"),
    ("tax_rate", "tax_code_id"),
    ("fiscal_position", "issuer_id"),
    ("exemption", "customer_id"),
    ("exemption", "tax_code_id"),
    ("product", "tax_code_id"),
    ("stamp_duty", "product_id"),
    ("product_text", "product_id"),
    ("price", "product_id"),
    ("early_exit_cost", "product_id"),
    ("pause_fee", "product_id"),
    ("contract_terms", "issuer_id"),
    ("contract_terms", "payer_id"),
    ("contract_terms", "service_address_id"),
    ("contract_item", "contract_id"),
    ("instalment", "item_id"),
    ("discount", "contract_id"),
    ("discount", "promotion_id"),
    ("billing_stop", "contract_id"),
    ("billing_stop", "restriction_id"),
    ("contract_notice", "contract_id"),
)
# Before a second row of these can be legal.
_FIRST_OF: Final = {
    "contract_terms": insert("contract", id="7") + "; ",
    "fiscal_position_tax": insert("tax_code", id="2") + "; ",
}
# Tables whose every write is in the audit log, with a column that an update may change.
_MONEY: Final = (
    ("issuer", "name"),
    ("tax_identifier", "number"),
    ("address", "street"),
    ("attachment", None),
    ("tax_code", "name"),
    ("tax_rate", "percent"),
    ("stamp_duty", "amount"),
    ("fiscal_position", "name"),
    ("fiscal_position_tax", "to_tax_code_id"),
    ("exemption", "placed_by"),
    ("product", "name"),
    ("price", "unit_price"),
    ("early_exit_cost", "amount"),
    ("pause_fee", "amount"),
    ("promotion", "name"),
    ("contract_terms", "due_days"),
    ("contract_item", "quantity"),
    ("instalment", "amount"),
    ("discount", "value"),
    ("billing_stop", "reason"),
)
_SECOND_CUSTOMER: Final = insert("customer", id="2")
_SECOND_TAX: Final = insert("tax_code", id="2")


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        both = {"given_name": "'Anna'", "family_name": "'Rossi'"} if column in ("given_name", "family_name") else {}
        before = _FIRST_OF.get(table, "")
        yield Case(
            f"{table}_{column}_check",
            before + insert(table, **{**both, column: wrong}),
            before + insert(table, **(both or {column: right})),
        )
    for table in (
        *("issuer", "address", "contact", "consent", "note", "attachment"),
        *("tax_code", "fiscal_position", "exemption", "product", "price", "promotion"),
        *("contract_item", "discount", "billing_stop", "contract_notice", "contract_event"),
    ):
        yield case(f"{table}_pkey", table, {"id": "1", **_no_parent(table)}, {"id": "77"})
    yield case("tax_identifier_pkey", "tax_identifier", {"scheme": "'it.codicefiscale'"})
    for table, column in _REFERENCES:
        before = _FIRST_OF.get(table, "")
        yield Case(f"{table}_{column}_fkey", before + insert(table, **{column: "999"}), before + insert(table))


def _parties() -> Iterator[Case]:
    yield case("issuer_name_key", "issuer", {"name": "'Example Net'"})
    for zone in ("'Europe/Turin'", "'CET+1'"):
        yield case("issuer_zone_known", "issuer", {"zone": zone}, {"zone": "'America/Guayaquil'"})
    person = {"given_name": "'Anna'", "family_name": "'Rossi'"}
    yield case("customer_person_has_both_names", "customer", {**person, "family_name": "NULL"}, person)
    yield case("customer_person_has_both_names", "customer", {**person, "kind": "'company'"}, {"kind": "'company'"})
    known = insert("customer", external_reference="'C-17'")
    yield Case("customer_external_reference_once", f"{known}; {known}", f"{known}; {insert('customer')}")
    fresh = "DELETE FROM customer_words; " + insert("customer_words")
    yield Case("customer_words_pkey", insert("customer_words"), fresh)
    yield Case("customer_words_customer_id_fkey", insert("customer_words", customer_id="999"), fresh)
    yield case(
        "address_coordinates_in_pairs", "address", {"latitude": "NULL"}, {"latitude": "NULL", "longitude": "NULL"}
    )
    seat = insert("address", kind="'legal'")
    yield Case("address_one_seat", f"{seat}; {seat}", f"{seat}; {insert('address')}")
    yield case("address_of_customer", "address", {"id": "1"})._replace(
        breaks="ALTER TABLE address DROP CONSTRAINT address_pkey CASCADE; " + insert("address", id="1")
    )
    yield Case(
        "contact_of_customer",
        "ALTER TABLE contact DROP CONSTRAINT contact_pkey CASCADE; " + insert("contact", id="1", parent_id="NULL"),
        insert("contact"),
    )
    yield Case(
        "contract_of_customer",
        "ALTER TABLE contract DROP CONSTRAINT contract_pkey CASCADE; " + insert("contract", id="1"),
        insert("contract"),
    )
    for table in ("contact", "note", "attachment"):
        yield Case(
            f"{table}_contract_of_customer",
            f"{_SECOND_CUSTOMER}; {insert(table, contract_id='1', customer_id='2', **_no_parent(table))}",
            insert(table, contract_id="1"),
        )
    yield Case(
        "contact_parent_of_customer",
        f"{_SECOND_CUSTOMER}; {insert('contact', customer_id='2')}",
        f"{_SECOND_CUSTOMER}; {insert('contact', customer_id='2', parent_id='NULL')}",
    )
    yield case("contact_not_own_parent", "contact", {"id": "7", "parent_id": "7"}, {"id": "7"})
    yield case("contact_one_a_role", "contact", {"role": "'main'"}, {"role": "'main'", "contract_id": "1"})
    under = insert("contact", id="7")
    third = insert("contact", id="8", parent_id="7", role="'collections'")
    yield Case(
        "contact_no_circle",
        f"{under}; {third}; UPDATE contact SET parent_id = 8 WHERE id = 1",
        f"{under}; {third}; UPDATE contact SET parent_id = 1 WHERE id = 8",
    )
    for table, column in (("consent", "given"), ("note", "text")):
        for wrong in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", wrong, insert(table))
    yield Case("attachment_never_changes", "UPDATE attachment SET name = 'other.pdf'", "DELETE FROM attachment")


def _taxes() -> Iterator[Case]:
    yield case("tax_code_name_key", "tax_code", {"name": "'IVA-22'"})
    yield case("tax_code_nature_says_why", "tax_code", {"legal_reference": "NULL"})
    bare = {"nature": "NULL", "legal_reference": "NULL"}
    yield case("tax_code_stamp_is_untaxed", "tax_code", bare, {**bare, "bears_stamp": "false"})
    for table in ("tax_rate", "stamp_duty"):
        for open_start in ("'(,2020-01-01)'", "'empty'"):
            yield case(f"{table}_has_beginning", table, {"during": open_start})
        yield case(f"{table}_one_a_day", table, {"during": "'[2026-12-31,)'"})
    yield case("fiscal_position_name_key", "fiscal_position", {"name": "'Abroad'"})
    yield case(
        "fiscal_position_countries_are_codes", "fiscal_position", {"countries": "'{Italy}'"}, {"countries": "'{IT,SM}'"}
    )
    prefix = {"postal_prefix": "'23041'", "countries": "'{}'"}
    yield case("fiscal_position_prefix_of_country", "fiscal_position", prefix, {**prefix, "countries": "'{IT}'"})
    right = f"{_SECOND_TAX}; {insert('fiscal_position_tax')}"
    again = insert("fiscal_position_tax", from_tax_code_id="1")
    yield Case("fiscal_position_tax_pkey", again, right)
    for column in ("fiscal_position_id", "from_tax_code_id", "to_tax_code_id"):
        wrong = insert("fiscal_position_tax", **{column: "999"})
        yield Case(f"fiscal_position_tax_{column}_fkey", f"{_SECOND_TAX}; {wrong}", right)
    for endless in ("'[2027-01-01,)'", "'(,2025-01-01)'", "'empty'"):
        yield case("exemption_is_bounded", "exemption", {"during": endless})
    yield case("exemption_one_a_day", "exemption", {"during": "'[2026-12-31,2028-01-01)'"})


def _catalogue() -> Iterator[Case]:
    yield case("product_name_key", "product", {"name": "'Home 30'"})
    another = insert("plan", id="7", name="'Office'")
    office = insert("product", kind="'plan'", plan_id="7")
    sold = insert("product", kind="'plan'", plan_id="1")
    yield Case("product_plan_id_key", sold, f"{another}; {office}")
    yield Case("product_plan_id_fkey", office, f"{another}; {office}")
    yield Case("product_plan_has_plan", insert("product", kind="'plan'"), f"{another}; {office}")
    yield Case("product_plan_has_plan", f"{another}; {insert('product', plan_id='7')}", insert("product"))
    for column, beyond in zip(_OF_A_PLAN, ("121", "121", "366"), strict=True):
        yield case("product_terms_are_a_plans", "product", {column: "1"})
        yield Case(
            f"product_{column}_check",
            f"{another}; {insert('product', kind=chr(39) + 'plan' + chr(39), plan_id='7', **{column: beyond})}",
            f"{another}; {insert('product', kind=chr(39) + 'plan' + chr(39), plan_id='7', **{column: '1'})}",
        )
    yield case("product_text_pkey", "product_text", {"language": "'en'"})
    early = {"during": "'[2026-12-31,)'"}
    yield case("price_one_a_day", "price", early, {**early, "months": "3"})
    yield case("price_one_a_day", "price", early, {**early, "includes_tax": "true"})
    again = {"from_month": "0"}
    for apart in ({"currency": "'USD'"}, {"includes_tax": "true"}):
        yield case("early_exit_cost_pkey", "early_exit_cost", again, {**again, **apart})
    yield case("pause_fee_pkey", "pause_fee", {"currency": "'EUR'"}, {"currency": "'EUR'", "includes_tax": "true"})
    yield case("promotion_name_key", "promotion", {"name": "'Spring'"})
    yield case("promotion_percent_is_a_share", "promotion", {"value": "100.5"}, {"value": "100.5", "kind": "'fixed'"})


def _terms() -> Iterator[Case]:
    begun = _FIRST_OF["contract_terms"]
    yield Case("contract_terms_pkey", insert("contract_terms", contract_id="1"), begun + insert("contract_terms"))
    yield Case("contract_terms_contract_id_fkey", insert("contract_terms"), begun + insert("contract_terms"))
    free = {"free_reason": "'staff'", "free_review_on": "'2027-01-01'", "free_from": "'2026-05-01'"}
    for column, value in free.items():
        yield Case(
            "contract_terms_free_is_reviewed",
            begun + insert("contract_terms", **{column: value}),
            begun + insert("contract_terms", **free),
        )
    yield Case(
        "contract_terms_free_reason_check",
        begun + insert("contract_terms", **{**free, "free_reason": "''"}),
        begun + insert("contract_terms", **free),
    )
    monthly = {"alignment": "'day_of_month'", "billing_day": "31"}
    for column, value in (("billing_day", "31"), ("alignment", "'day_of_month'")):
        yield Case(
            "contract_terms_day_goes_with_alignment",
            begun + insert("contract_terms", **{column: value}),
            begun + insert("contract_terms", **monthly),
        )
    yield Case(
        "contract_terms_billing_day_check",
        begun + insert("contract_terms", **{**monthly, "billing_day": "32"}),
        begun + insert("contract_terms", **monthly),
    )
    table = "contract_item"
    yield case(f"{table}_wanted_day_check", table, {"wanted_day": "32"})
    yield Case(
        f"{table}_of_contract",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE; {insert(table, id='1')}",
        insert(table),
    )
    yield Case(
        "product_of_kind",
        "ALTER TABLE product DROP CONSTRAINT product_pkey CASCADE; ALTER TABLE product DROP CONSTRAINT product_plan_id_key; "
        + insert("product", id="1", kind="'plan'", plan_id="1"),
        insert("product"),
    )
    yield case(f"{table}_product_of_kind", table, {"kind": "'add_on'"})
    yield case(f"{table}_dates_in_order", table, {"ends_on": "'2027-01-30'"}, {"ends_on": "'2027-01-31'"})
    for column in ("months", "anchor", "wanted_day"):
        yield case(f"{table}_recurring_has_cycle", table, {column: "NULL"})
    feb = {"anchor": "'2027-02-28'"}
    yield case(f"{table}_anchor_on_day", table, {"anchor": "'2027-02-27'"}, feb)
    yield case(f"{table}_anchor_on_day", table, {"anchor": "'2028-02-28'"}, {"anchor": "'2028-02-29'"})
    yield case(f"{table}_one_plan", table, {"starts_on": "'2027-01-30'"})
    yield case("instalment_pkey", "instalment", {"number": "1"})._replace(
        breaks=insert("instalment", number="1", amount="0"), passes=insert("instalment", amount="0")
    )
    for number in ("0", "61"):
        yield case("instalment_number_check", "instalment", {"number": number}, {"number": "60"})
    at_once = "; SET CONSTRAINTS instalment_adds_up IMMEDIATE"
    rest = "UPDATE instalment SET amount = 19.90; "
    yield Case("instalment_adds_up", insert("instalment") + at_once, rest + insert("instalment") + at_once)
    table = "discount"
    for open_start in ("'(,2020-01-01)'", "'empty'"):
        yield case(f"{table}_has_beginning", table, {"during": open_start}, {"during": "'[2026-01-01,)'"})
    yield case(f"{table}_percent_is_a_share", table, {"value": "101"}, {"value": "101", "kind": "'fixed'"})
    both = {"item_id": "1", "family": "'access'"}
    yield case(f"{table}_one_scope", table, both, {"item_id": "1"})
    yield case(f"{table}_item_of_contract", table, {"item_id": "999"}, {"item_id": "1"})
    promoted = insert(table, promotion_id="1")
    yield Case(f"{table}_promotion_once", f"{promoted}; {promoted}", promoted)
    for open_start in ("'(,2020-01-01)'", "'empty'"):
        yield case("billing_stop_has_beginning", "billing_stop", {"during": open_start}, {"during": "'[2026-01-01,)'"})
    yield case("billing_stop_one_a_day", "billing_stop", {"during": "'[2025-08-31,2025-10-01)'"})
    yield case("contract_notice_once", "contract_notice", {"due_on": "'2026-11-01'"})
    told = insert("contract_event")
    for wrong in ("UPDATE contract_event SET event = 'x'", "DELETE FROM contract_event"):
        yield Case("contract_event_append_only", wrong, told)
    yield Case("contract_event_no_truncate", "TRUNCATE contract_event", told)
    for wrong in (
        {"status_after": "'ended'"},
        {"status_before": "'free'"},
        {"status_before": "'free'", "status_after": "'free'"},
        {"contract_id": "999"},
    ):
        yield Case("contract_event_path", insert("contract_event", **wrong), told)


def _no_parent(table: str) -> dict[str, str]:
    return {"parent_id": "NULL"} if table == "contact" else {}


def _signed() -> Iterator[Case]:
    """Money that nobody says to write is not written."""
    for table, column in _MONEY:
        first = _FIRST_OF.get(table, "")
        deeds = {"insert": insert(table), "delete": f"DELETE FROM {table} WHERE false"}
        deeds["update"] = (
            f"UPDATE {table} SET {column} = {column}" if column else f"UPDATE {table} SET name = name WHERE false"
        )
        for word, deed in deeds.items():
            yield Case(f"{table}_money_{word}", f"{first}SET LOCAL corrente.actor = ''; {deed}", f"{first}{deed}")


BOOKS_CASES: Final[tuple[Case, ...]] = tuple(
    one for group in (_columns, _parties, _taxes, _catalogue, _terms, _signed) for one in group()
)
