import pytest

from control_plane.takeover.freeradius_blocks import asked_name, build_answer, build_block, own_blocks, real_name
from control_plane.takeover.freeradius_values import Item, Role, SqlRow, Table


def _item(role, name, op, value):
    return Item(role, name, op, value, SqlRow(Table.GROUP_REPLY, 1, "g", name, op, value))


def _block(name, *reply, check=False, through=None, control=()):
    items = [_item(Role.REPLY, *row) for row in reply] + [_item(Role.CONTROL, *row) for row in control]
    if check:
        items.append(_item(Role.CHECK, "NAS-Port", "==", "1"))
    if through is not None:
        items.append(_item(Role.FALL_THROUGH, "Fall-Through", "=", "yes" if through else "no"))
    return build_block(name, items)


def _names(blocks):
    return [block.name for block in blocks]


def test_groups_that_compare_nothing_are_folded_up_to_the_first_that_does_not_fall_through():
    groups = [_block("a", through=True), _block("b"), _block("c")]
    answer = build_answer(_block("user"), groups)
    assert (_names(answer.always), _names(answer.depends)) == (["a", "b"], [])


def test_from_the_first_group_that_compares_everything_depends_on_the_request():
    groups = [_block("a", through=True), _block("b", check=True), _block("c", through=True), _block("d"), _block("e")]
    answer = build_answer(_block("user"), groups)
    assert (_names(answer.always), _names(answer.depends)) == (["a"], ["b", "c", "d"])


def test_a_user_that_does_not_fall_through_has_no_groups():
    answer = build_answer(_block("user", through=False), [_block("a")])
    assert answer.blocks == (answer.user,)


def test_what_every_login_gets_is_folded_with_the_operators():
    user = _block("user", ("Framed-Route", "+=", "a"), ("Filter-Id", "=", "u"))
    group = _block("g", ("Framed-Route", "+=", "b"), ("Filter-Id", "=", "g"), ("Session-Timeout", ":=", "60"))
    assert build_answer(user, [group]).reply == {
        "Framed-Route": ("a", "b"),
        "Filter-Id": ("u",),
        "Session-Timeout": ("60",),
    }


def test_a_later_assignment_replaces_an_earlier_control_item():
    user = _block("user", control=[("Simultaneous-Use", ":=", "1"), ("Expiration", ":=", "x")])
    group = _block("g", control=[("Simultaneous-Use", ":=", "2")])
    assert [(item.name, item.value) for item in build_answer(user, [group]).control] == [
        ("Simultaneous-Use", "2"),
        ("Expiration", "x"),
    ]


def test_blocks_that_depend_follow_the_accounts_own_which_leads_to_them():
    answer = build_answer(_block("user"), [_block("a", ("Filter-Id", "=", "x"), check=True, through=True), _block("b")])
    first, a, b = own_blocks(answer, [("Class", ":=", "c")], [])
    assert (first.reply, first.fall_through) == ((("Class", ":=", "c"),), True)
    assert (a.check, a.reply, a.fall_through) == ((("NAS-Port", "==", "1"),), (("Filter-Id", "=", "x"),), True)
    assert b.fall_through is False
    assert own_blocks(build_answer(_block("user"), []), [], []) == ()


@pytest.mark.parametrize(
    ("name", "asked"),
    [("anna@isp.example", "anna@isp.example"), ("o'brien", "o=27brien"), ("a=b", "a=3Db"), ("zoë", "zoë")],
)
def test_freeradius_asks_for_unsafe_characters_in_hex(name, asked):
    assert asked_name(name) == asked
    assert real_name(asked) == name


@pytest.mark.parametrize("stored", ["o'brien", "a=zz", "a=41", "a=", "a+b"])
def test_a_name_that_freeradius_never_asks_for_has_no_owner(stored):
    assert real_name(stored) is None
