"""Payments in the console: listed, recorded by keyboard, once however often they are sent, laid elsewhere, given and taken back."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from support.billed_console import bill_everybody, debtors, hidden, send, send_confirmed
from support.browser import usable_by_everybody, violations

from billing.store.payment_list import Asked, list_statement
from control_plane import db

pytestmark = pytest.mark.db
TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture(scope="module")
def owing(console):
    """Twelve customers who owe one invoice each; each test takes its own."""
    bill_everybody(console)
    return debtors(console, count=24)


def payments_of(console, customer):
    return console.query(
        "SELECT id, amount, made_by FROM payment WHERE customer_id = %s ORDER BY id", (customer["customer"],)
    )


def record(client, customer, amount=None, path="/payments/new", **typed):
    fields = {
        "customer_id": customer["customer"],
        "who": customer["name"],
        "amount": str(amount or customer["open"]).rstrip("0").rstrip("."),
        "method": "cash",
        "day": TODAY,
        **typed,
    }
    return send(client, path, **fields)


def number_of(answer):
    assert answer.status_code == 303, answer.text[:3000]
    return int(re.search(r"done=(\d+)", answer.headers["Location"])[1])


def test_a_payment_is_recorded_and_the_form_is_ready_for_the_next(console, owing):
    client, customer = console.client("billing"), owing[0]
    answer = record(client, customer)
    number = number_of(answer)
    page = client.get(answer.headers["Location"]).text
    assert f"Recorded: €{customer['open']:.2f} of {customer['name']}" in page
    assert customer["label"] in page
    assert 'name="customer_id" id="customer_id" value=""' in page
    assert console.query("SELECT count(*) FROM open_document WHERE document_id = %s", (customer["document"],)) == [(0,)]
    assert payments_of(console, customer)[0][2] == "billing"
    shown = client.get(f"/payments/{number}").text
    assert customer["label"] in shown
    assert f'href="/customers/{customer["customer"]}"' in shown


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(console, owing):
    client, customer = console.client("billing"), owing[1]
    answer = record(client, customer, amount="abc", note="from the counter")
    assert answer.status_code == 422
    assert "Write a number such as" in answer.text
    assert 'value="from the counter"' in answer.text
    assert record(client, customer, day="2010-01-01").status_code == 422
    assert record(client, customer, customer_id="").status_code == 422
    assert record(client, customer, customer_id="999999999999").status_code == 422
    assert payments_of(console, customer) == []


def test_sent_twice_it_is_recorded_once(console, owing):
    client, customer = console.client("billing"), owing[2]
    form = hidden(client.get("/payments/new").text)
    typed = {
        **form,
        "customer_id": customer["customer"],
        "who": customer["name"],
        "amount": f"{customer['open']:.2f}",
        "method": "cash",
        "day": TODAY,
    }
    first, again = client.post("/payments/new", data=typed), client.post("/payments/new", data=typed)
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.headers["Location"] == again.headers["Location"]
    assert len(payments_of(console, customer)) == 1
    # The same form with another amount is not the same payment, and not another one either.
    other = client.post("/payments/new", data={**typed, "amount": "1.00"})
    assert other.status_code == 409
    assert len(payments_of(console, customer)) == 1


def test_one_like_it_is_recorded_only_when_it_is_said_to_be_another(console, owing):
    client, customer = console.client("billing"), owing[3]
    number = number_of(record(client, customer, amount="1.00"))
    answer = record(client, customer, amount="1.00")
    assert answer.status_code == 422
    assert f"Payment {number} is of the same customer" in answer.text
    number_of(record(client, customer, amount="1.00", again="y"))
    assert len(payments_of(console, customer)) == 2


def test_what_is_ticked_is_paid_and_no_more_than_is_open_of_it(console, owing):
    client, customer = console.client("billing"), owing[4]
    answer = record(client, customer, amount="2.00", invoices=[str(customer["document"])])
    assert number_of(answer)
    other = owing[5]
    refused = record(client, customer, amount="3.00", invoices=[str(other["document"])])
    assert refused.status_code == 422
    assert "is not open for this customer" in refused.text


@pytest.mark.parametrize("typed", ["name", "number", "label", "amount"])
def test_who_paid_is_found_by_what_is_known(console, owing, typed):
    client, customer = console.client("billing"), owing[6]
    words = {
        "name": customer["name"].split()[0][:4],
        "number": str(customer["customer"]),
        "label": customer["label"],
        "amount": f"{customer['open']:.2f}",
    }[typed]
    found = client.get("/payments/new/found", query_string={"who": words}).text
    if typed in ("number", "label"):
        assert found.index(f'data-customer="{customer["customer"]}"') == found.index("data-customer=")
    assert "data-customer=" in found
    assert "Nobody is found" in client.get("/payments/new/found?who=zzzyyyxxx").text


def test_the_amount_suggested_is_what_is_due(console, owing):
    customer = owing[7]
    part = console.client("billing").get(f"/payments/new/owed?customer={customer['customer']}").text
    # 308.80 as well as 308.85: what is due depends on the day.
    assert f'data-suggested="{customer["open"]:.2f}"' in part
    assert customer["label"] in part
    assert console.client("billing").get("/payments/new/owed?customer=99999999").status_code == 404


def test_who_may_not_record_neither_sees_the_form_nor_sends_it(console, owing):
    reader = console.client("reader")
    assert reader.get("/payments").status_code == 200
    assert "/payments/new" not in reader.get("/payments").text
    assert reader.get("/payments/new").status_code == 403
    assert console.client("network operator").get("/payments").status_code == 403


def test_a_payment_is_taken_back_after_its_numbers_were_shown(console, owing):
    client, customer = console.client("billing"), owing[8]
    number = number_of(record(client, customer))
    path = f"/payments/{number}/reverse"
    assert send(client, path, reason="", day=TODAY).status_code == 422
    shown, done = send_confirmed(client, path, reason="the cheque bounced", day=TODAY)
    assert f"{customer['label']} is open with €{customer['open']:.2f}" in shown.text
    assert done.status_code == 303
    assert console.query("SELECT reason FROM payment_reversal WHERE payment_id = %s", (number,)) == [
        ("the cheque bounced",)
    ]
    assert "the cheque bounced" in client.get(f"/payments/{number}").text
    assert console.client("support").get(path).status_code == 403


def test_the_page_before_a_deed_writes_nothing(console, owing):
    client, customer = console.client("billing"), owing[9]
    number = number_of(record(client, customer))
    assert send(client, f"/payments/{number}/reverse", reason="no", day=TODAY).status_code == 200
    assert console.query("SELECT count(*) FROM payment_reversal WHERE payment_id = %s", (number,)) == [(0,)]


def test_a_payment_of_nobody_is_matched_and_settles(console, owing):
    client, customer = console.client("billing"), owing[10]
    number = number_of(record(client, customer, customer_id="", who="", nobody="y", payer="A. Unknown"))
    assert "Nobody knows yet whose it is" in client.get(f"/payments/{number}").text
    assert f'href="/payments/{number}"' in client.get("/payments?state=unmatched").text
    path = f"/payments/{number}/match"
    shown, done = send_confirmed(client, path, customer_id=customer["customer"], who=customer["name"], reason="rang up")
    assert f"of {customer['label']}" in shown.text
    assert done.status_code == 303
    assert customer["label"] in client.get(f"/payments/{number}").text
    assert f'href="/payments/{number}"' not in client.get("/payments?state=unmatched").text


def test_no_more_is_given_back_than_settles_nothing(console, owing):
    client, customer = console.client("billing"), owing[11]
    number = number_of(record(client, customer, amount=customer["open"] + 10))
    path = f"/payments/{number}/refund"
    typed = {"method": "transfer", "reason": "paid too much", "day": TODAY}
    assert send(client, path, amount="10.01", **typed).status_code == 422
    shown, done = send_confirmed(client, path, amount="10", **typed)
    assert "€10.00 go back" in shown.text
    assert done.status_code == 303
    assert console.query("SELECT amount FROM refund WHERE payment_id = %s", (number,))[0][0] == 10


def test_a_payment_is_laid_on_the_invoice_that_is_ticked(console, owing):
    client, customer = console.client("billing"), owing[12]
    number = number_of(record(client, customer))
    path = f"/payments/{number}/choose"
    assert customer["label"] in client.get(path).text
    shown, done = send_confirmed(client, path, invoices=[str(customer["document"])])
    assert (shown.status_code, done.status_code) == (200, 303)


def test_its_receipt_is_a_numbered_paper(console, owing):
    client, customer = console.client("billing"), owing[13]
    number = number_of(record(client, customer))
    assert client.get(f"/payments/{number}/receipt.pdf").status_code == 404
    form = hidden(client.get(f"/payments/{number}").text)
    answer = client.post(f"/payments/{number}/receipt", data=form)
    assert answer.headers["Location"] == f"/payments/{number}/receipt.pdf"
    paper = client.get(answer.headers["Location"])
    assert paper.data.startswith(b"%PDF")
    # A second one has the same number.
    client.post(f"/payments/{number}/receipt", data=form)
    assert console.query("SELECT count(*) FROM receipt WHERE payment_id = %s", (number,)) == [(1,)]


def test_its_receipt_is_mailed_again_when_it_is_asked_for(console, owing):
    client, customer = console.client("billing"), owing[14]
    number = number_of(record(client, customer))
    before = console.query("SELECT count(*) FROM message WHERE origin LIKE %s", (f"receipt of payment {number}%",))
    form = hidden(client.get(f"/payments/{number}").text)
    assert client.post(f"/payments/{number}/send", data=form).status_code == 303
    client.post(f"/payments/{number}/send", data=form)
    after = console.query("SELECT count(*) FROM message WHERE origin LIKE %s", (f"receipt of payment {number}%",))
    assert after[0][0] == before[0][0] + 1


def test_the_list_pages_by_its_key_and_comes_as_a_file(console, owing, monkeypatch):
    client = console.client("billing")
    for place in (15, 16):
        record(client, owing[place])
        record(client, owing[place], amount="3.00")
    monkeypatch.setattr("web.staff.payments.PAGE_ROWS", 2)
    seen, path = [], "/payments?sort=-day"
    everything = [str(n) for (n,) in console.query("SELECT id FROM payment ORDER BY value_on DESC, id DESC")]
    assert len(everything) > 3
    lines = client.get("/payments?file=csv&sort=number", buffered=True).text.splitlines()
    assert len(lines) == len(everything) + 1
    assert client.get("/payments?file=xlsx", buffered=True).data.startswith(b"PK")
    while path:
        page = client.get(path).text
        seen += re.findall(r'<td><a href="/payments/(\d+)">', page)
        further = re.search(r'href="([^"]+)" rel="next"', page)
        path = further[1].replace("&amp;", "&") if further else None
    assert seen == everything
    assert client.get("/payments?after=xyz").status_code == 400
    assert client.get("/payments?sort=secret").status_code == 400


@pytest.mark.parametrize(
    "asked",
    [Asked(), Asked(method_id=1), Asked(since=date(2026, 1, 1)), Asked(state="unmatched"), Asked(customer_id=3)],
)
def test_no_list_reads_the_whole_table(console, owing, asked):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        statement, values = list_statement(connection, asked, by_day=bool(asked.since), down=True, after=None)
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + statement + " LIMIT 51", values))
        assert "Seq Scan on payment " not in plan, plan


def test_by_keyboard_one_payment_after_another_and_none_twice(console, address, browser, owing):
    first, second = owing[17], owing[18]
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/payments/new")
        assert violations(page) == []
        page.wait_for_selector("#who:focus")
        for customer in (first, second):
            page.keyboard.type(customer["label"])
            page.wait_for_selector(f'#who-found [data-customer="{customer["customer"]}"][aria-selected="true"]')
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowUp")
            page.keyboard.press("Enter")
            page.wait_for_selector("#amount:focus")
            assert float(page.input_value("#amount")) == float(customer["open"])
            page.select_option("#method", "cash")
            page.focus("#amount")
            page.keyboard.press("Enter")
            page.wait_for_selector(f'.alert:has-text("{customer["label"]}")')
            page.wait_for_selector("#who:focus")
            assert page.evaluate("document.activeElement.value") == ""
    assert [len(payments_of(console, one)) for one in (first, second)] == [1, 1]


def test_a_double_click_the_back_button_and_two_tabs_record_nothing_twice(console, address, browser, owing):
    clicked, backed, tabbed = owing[19], owing[20], owing[21]
    with browser.page(console, "billing") as page:

        def fill(on, customer):
            on.goto(f"{address}/payments/new?customer={customer['customer']}")
            assert float(on.input_value("#amount")) == float(customer["open"])

        fill(page, clicked)
        page.dblclick("button:has-text('Record'):not([role=combobox])")
        page.wait_for_selector(".alert-success")
        assert len(payments_of(console, clicked)) == 1

        # Back to the form that was sent, and sent again.
        fill(page, backed)
        page.press("#amount", "Enter")
        page.wait_for_selector(".alert-success")
        page.go_back()
        page.wait_for_selector("#amount")
        if page.input_value("#customer_id"):
            page.fill("#amount", str(backed["open"]))
            page.press("#amount", "Enter")
            page.wait_for_selector(".alert-success, .alert-warning, .alert-danger, .empty-title")
        assert len(payments_of(console, backed)) == 1

        fill(page, tabbed)
        other = page.context.new_page()
        fill(other, tabbed)
        page.press("#amount", "Enter")
        page.wait_for_selector(".alert-success")
        other.press("#amount", "Enter")
        other.wait_for_selector(".alert-warning")
        assert "There is one like it" in other.content()
        assert len(payments_of(console, tabbed)) == 1


def test_the_pages_are_usable_by_everybody(console, address, browser, owing):
    number = console.query("SELECT min(id) FROM payment")[0][0]
    paths = (
        "/payments",
        f"/payments/{number}",
        f"/payments/{number}/reverse",
        f"/payments/new?customer={owing[22]['customer']}",
    )
    with browser.page(console, "billing") as page:
        usable_by_everybody(page, address, paths, "wide", "dark", "phone")


def test_many_lines_are_recorded_all_or_none_and_once(console, owing):
    client, one, other = console.client("billing"), owing[22], owing[23]
    lines = f"{one['customer']}\t{one['open']:.2f}\n{other['customer']};{other['open']:.2f}"
    typed = {"lines": lines, "method": "cash", "day": TODAY}
    before = console.query("SELECT count(*) FROM payment")[0][0]
    wrong = send(client, "/payments/many", **{**typed, "lines": f"{lines}\nnobody at all;5.00"})
    assert wrong.status_code == 422
    assert "Line 3: There is no customer nobody at all." in wrong.text
    shown = send(client, "/payments/many", **typed)
    assert one["label"] in shown.text
    assert console.query("SELECT count(*) FROM payment")[0][0] == before
    fields = {**typed, **hidden(shown.text), "confirmed": "yes"}
    assert client.post("/payments/many", data={**fields, "together": "1.00"}).status_code == 422
    fields["together"] = f"{one['open'] + other['open']:.2f}"
    first, again = client.post("/payments/many", data=fields), client.post("/payments/many", data=fields)
    assert first.status_code == 303, first.text[:3000]
    assert again.headers["Location"] == first.headers["Location"]
    assert console.query("SELECT count(*) FROM payment")[0][0] == before + 2
    # The same lines another time are the same payments.
    assert send(client, "/payments/many", **typed).text.count("Recorded before") == 2
