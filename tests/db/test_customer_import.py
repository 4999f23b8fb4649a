"""Customers of a file, made once however often it is imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command_line import run, write_settings

from billing.customer_csv import Defaults, WantedCustomer, read_customers
from billing.customer_import import Fate, step_for
from billing.store.acting import acting
from billing.store.customer_import import apply_steps, load_known

pytestmark = pytest.mark.db

SAMPLE = Path(__file__).resolve().parents[2] / "docs/samples/customers.csv"
MANY = 3000


@pytest.fixture
def corrente(tmp_path, database):
    file = write_settings(tmp_path, database)

    def command(*arguments):
        return run(file, "customer", *arguments)

    return command


def steps_for(connection, wanted):
    known = load_known(connection, [one.reference for one in wanted])
    return [step_for(one, known.get(one.reference)) for one in wanted]


def apply(connection, wanted):
    steps = steps_for(connection, wanted)
    done = []
    apply_steps(connection, steps, language="it", advance=lambda at, total: done.append((at, total)))
    return steps, done


def test_a_dry_run_says_what_it_would_make_and_the_sample_is_made_once(corrente):
    dry = corrente("import", str(SAMPLE))
    assert dry.exit_code == 0
    assert "new      line 2: C-4711: Anna Rossi" in dry.output
    assert "2 new to make, 0 to change, 0 as they were, 0 refused, 0 notes" in dry.output
    assert corrente("list").output.startswith("There is no customer yet")

    assert "2 new made, 0 changed" in corrente("import", str(SAMPLE), "--apply").output
    again = corrente("import", str(SAMPLE), "--apply")
    assert "0 new made, 0 changed, 2 as they were" in again.output
    page = json.loads(corrente("show", "C-4712", "--json").output)
    assert [one["kind"] for one in page["addresses"]] == ["legal", "billing", "service"]
    assert page["contacts"][0]["phone"] == "+390115551234"
    assert "Bottega" in corrente("list", "bruno", "roma").output


def test_what_differs_is_changed_and_stands_in_the_customer_s_history(corrente, tmp_path):
    corrente("import", str(SAMPLE), "--apply")
    file = tmp_path / "moved.csv"
    file.write_text("reference,street,house_number,email,it.iva\nC-4711,Via Roma,2,anna.r@example.net,01234560017\n")
    done = corrente("import", str(file), "--apply")
    assert "changed  line 2: C-4711: it.iva, legal address, contact email" in done.output
    assert "note     line 2: C-4711: customer 2 has 01234560017 too" in done.output
    page = json.loads(corrente("show", "C-4711", "--json").output)
    assert (page["addresses"][0]["street"], page["addresses"][0]["city"]) == ("Via Roma", "Torino")
    assert "it.iva, legal address, contact email" in corrente("history", "C-4711").output


def test_a_fiscal_position_is_taken_by_its_name_for_who_is_new_and_who_is_known(corrente, connection, tmp_path):
    acting(connection, "maria")
    connection.execute("INSERT INTO fiscal_position (name) VALUES ('Livigno'), ('Abroad')")
    connection.commit()
    file = tmp_path / "positions.csv"
    for position, said in (("Livigno", "1 new made"), ("Abroad", "0 new made, 1 changed"), ("", "1 as they were")):
        file.write_text(f"reference,name,position\n7,Anna,{position}\n")
        assert said in corrente("import", str(file), "--apply").output
        kept = json.loads(corrente("show", "ref:7", "--json").output)["customer"]["fiscal_position"]
        assert kept == (position or "Abroad")


def test_a_refused_line_holds_all_back_unless_it_is_left_behind(corrente, tmp_path):
    file = tmp_path / "wrong.csv"
    file.write_text("reference,name,it.iva\n1,Anna,01234560018\n2,Bruno,\n3,Carla,01234560017\n4,Dora,01234560017\n")
    refused = corrente("import", str(file), "--apply")
    assert refused.exit_code == 1
    assert "refused  line 2: 1: it.iva 01234560018: wrong check digit" in refused.output
    assert "note     line 5: 4: line 4 has 01234560017 too" in refused.output
    assert corrente("list").output.startswith("There is no customer yet")
    assert corrente("import", str(file)).exit_code == 1
    assert corrente("import", str(file), "--apply", "--skip-refused").exit_code == 0
    report = json.loads(corrente("import", str(file), "--json", "--skip-refused").stdout)
    assert report["totals"] == {"new": 0, "changed": 0, "same": 3, "refused": 1}


def test_a_file_that_is_none_and_options_that_are_wrong_are_refused(corrente, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("nmae\n")
    for arguments, says in (
        ((str(file),), "line 1: unknown column 'nmae'; did you mean name?"),
        ((str(tmp_path / "nowhere.csv"),), "can't be read"),
        ((str(SAMPLE), "--country", "Italy"), "two capitals"),
        ((str(SAMPLE), "--dialling-code", "39"), "+ and digits"),
    ):
        refused = corrente("import", *arguments)
        assert refused.exit_code in (1, 2)
        assert says in refused.output, refused.output


def test_thousands_are_made_in_batches_each_found_at_once(connection):
    acting(connection, "maria")
    lines = "".join(f"C-{n};Anna {n};Via Po;{n};10124;Torino;IT;c{n}@example.net\n" for n in range(MANY))
    header = "reference;name;street;house_number;postal_code;city;country;email\n"
    wanted, refused = read_customers((header + lines).encode(), Defaults())
    assert refused == []
    _, done = apply(connection, wanted)
    assert done == [(1000, MANY), (2000, MANY), (MANY, MANY)]
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM address), (SELECT count(*) FROM contact),"
        " (SELECT count(*) FROM customer_words WHERE words LIKE '%via po%' AND words LIKE '%@example.net%')"
    ).fetchone()
    assert counts == (MANY, MANY, MANY, MANY)
    assert {step.fate for step in steps_for(connection, wanted)} == {Fate.SAME}


TEXT = st.text("abÀ %'\\", min_size=1, max_size=6).map(str.strip).filter(bool)
PLACE = st.fixed_dictionaries(
    {"street": TEXT, "postal_code": TEXT, "city": TEXT, "country": st.just("IT")},
    optional={"house_number": TEXT, "province": TEXT},
)
CUSTOMER = st.builds(
    WantedCustomer,
    line=st.just(2),
    reference=st.sampled_from("ABC"),
    columns=st.fixed_dictionaries({"name": TEXT}, optional={"language": st.sampled_from(["en", "es"])}),
    position=st.none(),
    numbers=st.dictionaries(st.sampled_from(["it.iva", "eu.vat"]), st.sampled_from(["01234560017", "IT01234560017"])),
    addresses=st.dictionaries(st.sampled_from(["legal", "billing"]), PLACE),
    contact=st.fixed_dictionaries(
        {}, optional={"email": st.just("a@b"), "mobile": st.sampled_from(["+393331", "+393332"])}
    ),
).filter(lambda one: len(one.contact.get("mobile", "+3912345")) >= 7)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CUSTOMER, max_size=3, unique_by=lambda one: one.reference), max_size=4))
def test_whatever_files_come_after_each_other_the_last_word_on_everything_stands(connection, files):
    with connection.transaction(force_rollback=True):
        acting(connection, "maria")
        said: dict[str, dict[str, object]] = {}
        for file in files:
            apply(connection, file)
            assert {step.fate for step in steps_for(connection, file)} <= {Fate.SAME}
            for one in file:
                told = said.setdefault(one.reference, {})
                told.update(one.columns)
                told.update(one.numbers)
                told.update({f"contact {name}": value for name, value in one.contact.items()})
                for kind, place in one.addresses.items():
                    told.update({f"{kind} {name}": value for name, value in place.items()})
        known = load_known(connection, list("ABC"))
        assert set(known) == set(said)
        for reference, told in said.items():
            one = known[reference]
            kept = {**one.columns, **one.numbers, **{f"contact {name}": value for name, value in one.contact.items()}}
            kept |= {f"{a.kind} {name}": value for a in one.addresses for name, value in a.columns.items()}
            assert {name: kept.get(name) for name in told} == told
