"""`corrente message`, as it is typed: who is meant, what would go, what is taken back, and the operator's own texts."""

from __future__ import annotations

import json

import psycopg
import pytest
from support.books_days import make_days
from support.command_line import run, write_settings

pytestmark = pytest.mark.db


class Typed:
    """The ISP with books, whose customers 0 and 1 have an address, and what is typed there."""

    def __init__(self, database, settings, days):
        self.database, self.settings, self.customers = database, settings, days.isp.customers

    def __call__(self, *words, code=0, typed=None):
        result = run(self.settings, "message", *map(str, words), typed=typed)
        assert result.exit_code == code, result.output
        return result.output

    def ask(self, statement, *values):
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else None


NO_SERVER = "None leaves before [email] in corrente.toml names a server: its host is empty"


@pytest.fixture
def message(database, tmp_path):
    with psycopg.connect(database) as connection:
        days = make_days(connection)
    settings = write_settings(tmp_path, database)
    with settings.open("a") as file:
        file.write('[messages]\nfrom_time = "00:00"\nuntil_time = "24:00"\n')
    made = Typed(database, settings, days)
    made.ask("DELETE FROM contact")
    for place, name in enumerate(("anna", "bruno")):
        made.ask(
            "INSERT INTO contact (customer_id, role, name, email, language) VALUES (%s, 'main', %s, %s, 'en')",
            made.customers[place],
            name.title(),
            f"{name}@customers.test",
        )
    return made


def test_one_message_is_looked_at_written_shown_and_taken_back(message):
    words = (
        "send",
        message.customers[0],
        "--subject",
        "New number",
        "--text",
        "011 555 0100\n",
        "--at-once",
        "--document",
    )
    (label,) = message.ask("SELECT label FROM document WHERE id = 1")[0]
    dry = message(*words, label, "--dry-run")
    assert f"1 go at once\n{NO_SERVER}\n\nTo: Anna <anna@customers.test>\nSubject: New number\n\n011 555 0100\n" in dry
    assert message("list") == "No messages.\n"

    said = message(*words, label, "--key", "k1")
    number = said.split("Message ")[1].split(":")[0]
    assert "was written before" in message(*words, label, "--key", "k1")
    (row,) = json.loads(message("list", "--json"))
    assert (row["id"], row["state"], row["origin"]) == (int(number), "queued", "by hand k1")
    shown = message("show", number)
    assert f"Message {number} to " in shown
    assert "with document:1" in shown
    assert "its text is written when it is sent" in shown

    assert message("cancel", number) == "1 messages are taken back.\n"
    assert "not queued any more" in message("cancel", number, code=1)
    assert "cancelled: taken back" in message("show", number)
    assert message("again", number) == "1 messages are queued again.\n"
    assert "there is no message 999" in message("show", 999, code=1)


def test_a_choice_of_customers_is_counted_before_it_goes_and_taken_back_as_one(message):
    message.ask(
        "INSERT INTO undeliverable_address (channel, address, reason) VALUES ('email', 'bruno@customers.test', '5.1.1 gone')"
    )
    words = ("send-all", "--everybody", "--subject", "Closed in August", "--text", "We are back on the 20th.")
    dry = message(*words, "--dry-run")
    assert dry.startswith(
        f"To 3 customers: Closed in August\n1 go at once\n{NO_SERVER}\n1 do not go: no e-mail address\n1 do not go: the address does not exist\n"
    )
    assert dry.endswith("Dry run: nothing was written.\n")
    assert message("batches") == "Nothing went to many.\n"

    assert "Send to 3 customers?" in message(*words, code=1, typed="n\n")
    assert message("batches") == "Nothing went to many.\n"
    assert "`corrente message cancel --batch" in message(*words, "--yes")
    (batch,) = json.loads(message("batches", "--json"))
    assert (batch["title"], batch["messages"], batch["waiting"]) == ("Closed in August", 3, 3)
    assert message("cancel", "--batch", batch["id"], "--yes") == "3 messages are taken back.\n"
    (batch,) = json.loads(message("batches", "--json"))
    assert (batch["waiting"], batch["cancelled"], batch["cancelled_by"]) == (0, 3, "maria")
    assert "there is no batch 99" in message("cancel", "--batch", 99, code=1)


def test_invoices_are_counted_before_they_go_and_go_once(message):
    numbers = [
        label for (label,) in message.ask("SELECT label FROM document WHERE kind = 'invoice' ORDER BY id LIMIT 3")
    ]
    dry = message("invoices", *numbers, "--dry-run")
    assert dry.startswith("3 documents to send\n")
    assert "1 do not go: no e-mail address" in dry
    assert f"invoice {numbers[0]}" in dry
    assert message("list") == "No messages.\n"

    message("invoices", *numbers, "--yes")

    assert message("invoices", *numbers, "--yes") == "0 documents to send\n"
    listed = json.loads(message("list", "--json"))
    assert sorted(row["origin"] for row in listed) == ["document 1", "document 2", "document 3"]
    assert message.ask("SELECT DISTINCT template, enclosures[1] = replace(origin, ' ', ':') FROM message") == [
        ("invoice", True)
    ]
    assert "give the numbers" in message("invoices", code=2)


def test_everybody_behind_a_device_is_told_of_an_outage_online_or_just_gone_and_nobody_else(message):
    message.ask("UPDATE contract SET status = 'active'")
    tower, other = (
        message.ask(
            "INSERT INTO nas (name, source, vendor, sealed_secret) VALUES (%s, %s, 'generic', decode(repeat('ab', 40), 'hex')) RETURNING id",
            name,
            source,
        )[0][0]
        for name, source in (("tower", "192.0.2.1"), ("other", "192.0.2.2"))
    )
    accounts = [
        message.ask(
            "INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES"
            " ((SELECT min(id) FROM contract WHERE customer_id = %s), %s, decode(repeat('ab', 40), 'hex')) RETURNING id",
            customer,
            f"line-{customer}",
        )[0][0]
        for customer in message.customers[:3]
    ]
    session = (
        "(session_key, nas_id, acct_session_id, username, account_id, started_at, received_at, session_time_s, octets_in, octets_out,"
        " counter_in, counter_out, line, mac"
    )
    live = f"INSERT INTO session {session}, updated_at, addresses_since) VALUES (gen_random_uuid(), %s, 'x', 'x', %s, now(), now(), 1, 0, 0, 0, 0, %s, '', now(), now())"
    gone = f"INSERT INTO closed_session {session}, ended_at, ended_by) VALUES (gen_random_uuid(), %s, 'x', 'x', %s, now(), now(), 1, 0, 0, 0, 0, %s, '', now() - %s::interval, 'stop')"
    message.ask("SELECT make_month(date_trunc('month', now() - %s * interval '1 day')::date)", 0)
    message.ask("SELECT make_month(date_trunc('month', now() - %s * interval '1 day')::date)", 4)
    message.ask(live, tower, accounts[0], "AP-12/3")
    message.ask(gone, tower, accounts[1], "AP-13/1", "2 hours")
    message.ask(gone, tower, accounts[2], "AP-12/9", "3 hours")
    message.ask(live, other, accounts[2], "")  # has moved

    def told(*words):
        said = message("outage", *words, "--place", "Superga", "--dry-run")
        return int(said.split()[1]), said

    count, said = told("--nas", "tower")
    assert count == 2
    assert "Your line is disturbed or down at the moment (Superga)." in said
    assert told("--nas", "tower", "--hours", "1")[0] == 1
    assert told("--line", "AP-12%")[0] == 1
    assert told("--nas", "other")[0] == 1
    message.ask("UPDATE subscriber_account SET nas_ids = %s WHERE id = %s", [other], accounts[1])
    assert told("--nas", "other", "--hours", "0")[0] == 2
    message.ask("UPDATE nas SET site_id = s.id FROM (SELECT id FROM site) AS s")
    assert "there is no NAS 'towr'; did you mean tower?" in message("outage", "--nas", "towr", code=1)
    assert "that is nobody" in message("outage", "--line", "AP-99%", code=1)
    assert "say where" in message("outage", code=2)
    assert "works have a beginning" in message("outage", "--nas", "tower", "--kind", "maintenance", code=2)
    assert "Batch " in message("outage", "--nas", "tower", "--until", "+2h", "--yes")
    assert message.ask("SELECT DISTINCT at_once, expires_at > now() + interval '1 h', purpose::text FROM message") == [
        (True, True, "service")
    ]


def test_a_text_of_ones_own_counts_from_its_keeping_and_is_undone_by_version(message, tmp_path):
    assert "overdue" in message("template", "list")
    mine = tmp_path / "mine.txt"
    mine.write_text("Subject: Pay, {{ name }}\n\nYou owe {{ debt }}.\n")
    dry = message("template", "edit", "overdue", "--file", mine, "--dry-run")
    assert "Subject: Pay, Anna Rossi\n\nYou owe €122.00.\n" in dry
    assert "Subject: Pay" not in message("template", "show", "overdue")

    assert "Version 1 counts from now on" in message("template", "edit", "overdue", "--file", mine)
    assert "Subject: Pay, Anna Rossi\n\nYou owe €122.00.\n" in message("template", "preview", "overdue")
    mine.write_text("Subject: Pay\n\n{{ nobody }}\n")
    assert "text: 'nobody' is undefined" in message("template", "edit", "overdue", "--file", mine, code=1)
    mine.write_text("Subject: Pay\n\n{{ name.__class__ }}\n")
    assert "text, line 1" in message("template", "edit", "overdue", "--file", mine, code=1)
    mine.write_text("Subject: Second\n\n{{ name }}\n")
    message("template", "edit", "overdue", "--file", mine)
    assert "is as version 1 again" in message("template", "undo", "overdue", "--to", 1, "--yes")
    assert "Subject: Pay, {{ name }}" in message("template", "show", "overdue")
    assert "is the package again" in message("template", "undo", "overdue", "--yes")
    assert "payment overdue" in message("template", "show", "overdue")
    assert message("template", "show", "overdue", "--versions").count("maria") == 4
    assert "none refused" in message("template", "check")
    page = tmp_path / "page.html"
    message("template", "preview", "overdue", "--language", "it", "--html", page)
    assert "<p>Gentile Anna Rossi,</p>" in page.read_text()


def test_a_kind_of_the_operators_own_is_sent_with_what_it_names(message, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("Subject: Router\n\nYour router {{ model }} is here.\n")
    message("template", "edit", "router_here", "--file", mine)
    said = message(
        "send", message.customers[0], "--kind", "router_here", "--set", "model=AX3", "--at-once", "--dry-run"
    )
    assert "Your router AX3 is here." in said
    assert "'model' is undefined" in message("send", message.customers[0], "--kind", "router_here", code=1)
    assert "there is no message 'nothing'" in message("send", message.customers[0], "--kind", "nothing", code=1)
    assert "it is written by what happens" in message("send", message.customers[0], "--kind", "overdue", code=1)
    assert "say --subject with --text" in message("send", message.customers[0], code=2)


def test_what_was_said_of_consents_and_addresses_holds_what_is_sent(message):
    customer = message.customers[0]
    offer = ("send", customer, "--subject", "Fibre", "--text", "At home", "--purpose", "marketing", "--dry-run")
    assert "1 do not go: there is no consent to marketing" in message(*offer)
    message("consent", customer, "--purpose", "marketing", "--given", "--wording", "May we?")
    assert "consent" not in message(*offer)
    message("consent", customer, "--purpose", "marketing", "--declined", "--wording", "May we?")
    assert "1 do not go: declined" in message(*offer)

    message.ask(
        "INSERT INTO undeliverable_address (channel, address, reason) VALUES ('email', 'anna@customers.test', '5.1.1 gone')"
    )
    assert "anna@customers.test" in message("address", "list")
    assert "is written to again" in message("address", "clear", "Anna@customers.test")
    assert "is not among them" in message("address", "clear", "anna@customers.test", code=1)


def test_a_letter_is_noted_as_sent_by_a_person_and_a_mail_is_not(message):
    for channel in ("registered_letter", "email"):
        message.ask(
            "INSERT INTO message (customer_id, origin, channel, purpose, template, made_by) VALUES (%s, 'notice', %s, 'legal', 'formal_notice', 'x')",
            message.customers[0],
            channel,
        )
    letter, mail = (row["id"] for row in sorted(json.loads(message("list", "--json")), key=lambda row: row["id"]))
    assert f"Message {letter} is noted as sent." in message("done", letter, "--note", "RR123")
    assert "sent: RR123" in message("show", letter)
    assert "does not wait for that" in message("done", mail, "--note", "RR123", code=1)
    assert "Message" in message("again", letter, "--copy")


def test_a_trial_says_that_mail_is_switched_off(message):
    assert "[email] host is empty" in message("test", "me@isp.example", code=1)
