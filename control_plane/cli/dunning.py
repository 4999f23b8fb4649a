"""`corrente dunning`: how debts are pursued: policies, tonight's cuts, cases, who is left alone, and what was done."""

from __future__ import annotations

from control_plane.cli import _dunning_deeds, _dunning_letter, _dunning_lists, _dunning_policy
from control_plane.cli._group import Group

command = Group(
    "dunning", help="Debts: policies, tonight's cuts, cases, exclusions, disputes, notices, the log of cuts."
)
command.add_command(_dunning_policy.policy)
for one in (*_dunning_lists.COMMANDS, *_dunning_deeds.COMMANDS, _dunning_letter.letter):
    command.add_command(one)
