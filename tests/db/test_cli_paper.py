"""`corrente invoice pdf` and `corrente statement --pdf`, as they are typed."""

from __future__ import annotations

import json

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings
from support.paper_reading import text_of

from billing.store.acting import acting

pytestmark = pytest.mark.db


@pytest.fixture
def books(connection, database, tmp_path):
    return make_books(connection), write_settings(tmp_path, database)


def _ok(result):
    assert result.exit_code == 0, result.output
    return result.output


def _refused(result, code=1):
    assert result.exit_code == code, result.output
    return result.output


def _invoice(settings, customer, *more):
    line = ("--line", "product=Home 30,text=Home 30, March,price=29.90,from=2026-03-01,until=2026-03-31")
    _ok(run(settings, "invoice", "new", str(customer), "--date", "2026-03-01", "--due", "30", *line, *more))


def test_documents_and_an_account_are_printed_as_they_stand_in_the_books(books, tmp_path):
    isp, settings = books
    _invoice(settings, isp.customers[0], "--line", "product=Activation")
    _invoice(settings, isp.customers[1])
    _ok(
        run(settings, "invoice", "credit", "1/FT/2026", "--line", "1=10.00", "--date", "2026-03-02", "--reason", "late")
    )
    first, again, account = (tmp_path / f"{name}.pdf" for name in ("first", "again", "account"))

    assert _ok(run(settings, "invoice", "pdf", "1/FT/2026", "--out", str(first))) == f"Wrote {first}.\n"
    _ok(run(settings, "invoice", "pdf", "1/FT/2026", "--out", str(again)))
    numbers = ("1/FT/2026", "2/FT/2026", "1/NC/2026")
    said = _ok(run(settings, "invoice", "pdf", *numbers, "--out", str(tmp_path / "out"), "--processes", "2"))
    paid = ("--customer", str(isp.customers[0]), "--method")
    _ok(run(settings, "payment", "new", "10", *paid, "cash", "--date", "2026-03-03"))
    _ok(run(settings, "payment", "new", "20", *paid, "slip", "--date", "2026-03-03", "--reference", "CRO 88"))
    _ok(run(settings, "payment", "reverse", "2", "--reason", "typed twice", "--date", "2026-03-04", "--yes"))
    _ok(run(settings, "statement", str(isp.customers[0]), "--pdf", str(account)))

    # 29.90 and 49.00 are 78.90, and 17.36 at 22 %.
    _says(first, "1/FT/2026", "Anna Rossi 1", "Home 30, March", "78,90 €", "96,26 €")
    assert said == f"Wrote 3 documents to {tmp_path / 'out'}.\n"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "1-FT-2026.pdf",
        "2-FT-2026.pdf",
        "1-NC-2026.pdf",
    }
    # Printed by another process, on another day: the same.
    assert first.read_bytes() == again.read_bytes() == (tmp_path / "out/1-FT-2026.pdf").read_bytes()
    _says(tmp_path / "out/2-FT-2026.pdf", "Anna Rossi 2", "36,48 €")
    # 10.00 and 2.20.
    _says(
        tmp_path / "out/1-NC-2026.pdf", "Nota di credito", "A rettifica della fattura", "1/FT/2026", "late", "12,20 €"
    )
    _ok(run(settings, "invoice", "pdf", "1/NC/2026", "--language", "es", "--out", str(again)))
    _says(again, "Nota de crédito", "Rectifica la factura", "12,20 €")
    quote = ("quote", "new", "--customer", str(isp.customers[0]), "--sell", "Activation", "--valid-until", "2998-05-31")
    made = _ok(run(settings, *quote, "--json"))
    _ok(run(settings, "invoice", "pdf", json.loads(made)["number"], "--out", str(again)))
    _says(again, "Preventivo", "Valido fino al", "31 maggio 2998", "59,78 €")
    _says(
        account,
        "Estratto conto",
        "Fattura 1/FT/2026",
        "Nota di credito 1/NC/2026",
        "96,26",
        "12,20",
        "Pagamento (Contanti)",
        "(Bollettino) CRO 88",
        "74,06 €",
        "a Suo debito",
    )


def test_a_contract_is_printed_as_it_was_agreed(books, connection, tmp_path):
    isp, settings = books
    file, number = tmp_path / "contract.pdf", isp.contracts[2]
    acting(connection, "maria")
    connection.execute(
        "UPDATE contract_terms SET minimum_months = 24, notice_days = 30 WHERE contract_id = %s", (number,)
    )
    connection.execute(
        "INSERT INTO early_exit_cost (product_id, from_month, currency, amount) VALUES (%(p)s, 0, 'EUR', 120), (%(p)s, 12, 'EUR', 60)",
        {"p": isp.products["Home 30"]},
    )
    connection.execute(
        "INSERT INTO discount (contract_id, item_id, kind, value, during, reason, placed_by) VALUES "
        "(%(c)s, %(i)s, 'percent', 50, '[2900-01-01,2900-04-01)', 'Autumn', 'maria'), (%(c)s, NULL, 'fixed', 1.5, '[2026-03-01,)', 'Loyal', 'maria'), "
        "(%(c)s, NULL, 'fixed', 7, '[2020-01-01,2020-02-01)', 'Long ago', 'maria')",
        {"c": number, "i": isp.items[2]},
    )
    connection.commit()

    assert _ok(run(settings, "contract", "pdf", str(number), "--out", str(file))) == f"Wrote {file}.\n"
    read = text_of(file.read_bytes())
    for words in (
        "Anna Rossi 3",
        "Casa 30",
        "29,90",
        "Static address",
        "5,00",
        "Prezzi IVA esclusa",
        "24 mesi",
        "30 giorni",
    ):
        assert words in read, read
    # The last day of a discount is named, and the month that begins behind twelve whole ones.
    for words in (
        "Autumn (Casa 30)",
        "1 gen 2900 \N{EN DASH} 31 mar 2900",
        "\N{MINUS SIGN}50%",
        "Loyal",
        "dal 1 mar 2026",
        "\N{MINUS SIGN}1,50",
    ):
        assert words in read, read
    for words in ("dal mese 1 di servizio", "120,00 €", "dal mese 13 di servizio", "60,00 €"):
        assert words in read, read
    assert "Long ago" not in read
    _ok(run(settings, "contract", "pdf", str(number), "--language", "en", "--out", str(file)))
    _says(file, "Minimum term", "from month 13 of service", "€60.00")
    assert "there is no contract 99 with terms" in _refused(run(settings, "contract", "pdf", "99", "--out", str(file)))


def _says(file, *words):
    read = text_of(file.read_bytes())
    for word in words:
        assert word in read, read


def test_what_can_t_be_printed_is_said_and_leaves_no_file(books, tmp_path):
    isp, settings = books
    _invoice(settings, isp.customers[0])
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "invoice.typ").write_text("#panic()")

    assert "there is no document '9/FT/2026'" in _refused(run(settings, "invoice", "pdf", "9/FT/2026"))
    assert "there are no documents of run 99" in _refused(run(settings, "invoice", "pdf", "--run", "99"))
    _refused(run(settings, "invoice", "pdf"), 2)
    both = run(settings, "statement", str(isp.customers[0]), "--pdf", str(tmp_path / "a.pdf"), "--json")
    assert "at a time" in _refused(both, 2)
    broken = _refused(run(settings, "invoice", "pdf", "1/FT/2026", "--out", str(tmp_path)))
    assert "1 could not be printed" in broken
    assert "template invoice.typ" in broken
    assert not list(tmp_path.glob("**/*.pdf"))
