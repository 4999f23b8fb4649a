"""The console's ISP with collectors and an agent: who collects from whom, and whose contracts."""

from __future__ import annotations

from datetime import date

from support.billing_world import bill
from support.console_world import Console

from billing.collectors import Scope, ScopeKind
from billing.store.collectors import add_scopes, add_series
from billing.store.commissions import assign_contract
from control_plane import db


def collecting(console: Console) -> dict[str, int]:
    """Carla collects from half of the customers that owe, and is the console's collector; Pedro from one of the others; Dora is an agent."""
    bill(console.conninfo, date(2026, 7, 1))
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        owing = [
            n
            for (n,) in connection.execute("SELECT customer_id FROM open_document WHERE open > 0 GROUP BY 1 ORDER BY 1")
        ]
        issuer = connection.execute("SELECT min(id) FROM issuer").fetchone()[0]
        people = {}
        for name, customers in (("Carla", owing[:10]), ("Pedro", owing[10:11])):
            series = add_series(connection, issuer, "receipt", name[:2].upper(), f"Receipts of {name}")
            people[name] = connection.execute(
                "INSERT INTO collector (issuer_id, name, series_id, most_cash) VALUES (%s, %s, %s, 1500) RETURNING id",
                (issuer, name, series),
            ).fetchone()[0]
            add_scopes(connection, people[name], [Scope(ScopeKind.CUSTOMER, str(one)) for one in customers])
        connection.execute("UPDATE staff SET collector_id = %s WHERE name = 'collector'", (people["Carla"],))
        settlements = connection.execute("SELECT id FROM number_series WHERE kind = 'agent_settlement'").fetchone()[0]
        agent = connection.execute(
            "INSERT INTO agent (issuer_id, name, series_id) VALUES (%s, 'Dora', %s) RETURNING id", (issuer, settlements)
        ).fetchone()[0]
        contracts = [
            n
            for (n,) in connection.execute(
                "SELECT id FROM contract WHERE customer_id = ANY (%s) ORDER BY id", (owing[:2],)
            )
        ]
        for one in contracts:
            assign_contract(connection, one, agent, since=date(2026, 1, 1))
        people |= {"issuer": issuer, "agent": agent, "own": owing[0], "spare": owing[5], "foreign": owing[10]}
        connection.commit()
    return people
