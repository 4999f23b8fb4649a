import psycopg
import pytest

from control_plane.accounting.blame import fault_of
from control_plane.accounting.spool import Parked, SpoolError


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection"),
        psycopg.errors.UndefinedColumn("a migration is missing"),
        SpoolError("no such directory"),
        OSError("no space left on device"),
        MemoryError(),
    ],
    ids=repr,
)
def test_an_outage_is_nobodys_fault(error):
    assert fault_of(error) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.CheckViolation("new row violates"), Parked.REFUSED),
        (psycopg.errors.NumericValueOutOfRange("bigint out of range"), Parked.REFUSED),
        (psycopg.ProgrammingError("cannot adapt type 'object'"), Parked.OUR_FAULT),
        (KeyError("x"), Parked.OUR_FAULT),
        (TypeError("x"), Parked.OUR_FAULT),
        (ValueError("x"), Parked.OUR_FAULT),
        (AssertionError("x"), Parked.OUR_FAULT),
        (ZeroDivisionError("x"), Parked.OUR_FAULT),
    ],
    ids=lambda value: value.name if isinstance(value, Parked) else repr(value),
)
def test_what_the_database_refuses_is_not_what_our_code_fails_over(error, kind):
    fault = fault_of(error)
    assert fault is not None
    assert fault.kind is kind
    assert fault.problem.startswith(type(error).__name__)


def test_a_bug_is_named_with_its_place():
    try:
        {}["Class"]
    except KeyError as error:
        fault = fault_of(error)
    assert fault.problem.startswith("KeyError: 'Class' (test_blame.py:")
    assert fault.problem.endswith("in test_a_bug_is_named_with_its_place)")
