"""Two send the same deed at once, each from a form of their own: it is done once, and the other is told."""

from __future__ import annotations

import threading

import pytest
from support.edge_process import wait_until
from support.money_deeds import held, money_deeds, those_that_wait, times

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def deeds(console):
    return money_deeds(console)


# Two payments of the same amount are two payments, so that one is not here.
@pytest.mark.parametrize("name", ["credit note", "refund", "hand-over", "promise", "bill run"])
def test_what_two_do_at_once_is_done_once_and_sent_again_leads_to_what_came_of_it(console, deeds, name):
    deed, said = deeds[name], []
    assert times(console, deed) == 0
    forms = [deed.form() for _ in range(2)]
    assert forms[0]["once_key"] != forms[1]["once_key"]

    def send(form):
        client = console.app.test_client()
        client.set_cookie(*deed.cookie)
        # On a busy machine one may have waited too long before the other came: it is told to send again.
        while (status := client.post(deed.path, data=form).status_code) == 409:
            pass
        said.append((status, form))

    both = [threading.Thread(target=send, args=(form,)) for form in forms]
    with held(console, deed):
        for one in both:
            one.start()
        wait_until(lambda: those_that_wait(console) == 2, what="the two that wait")
    for one in both:
        one.join()
    done = [form for status, form in said if status == 303]
    assert done
    assert {status for status, _ in said} <= {303, 422}
    send(done[0])
    assert said[-1][0] == 303
    assert times(console, deed) == 1
