"""Changes for a real peer: our sender in the namespace where it stands, and our rules with what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from support.peer_network import Namespace

from control_plane.control_loop.enforcement import Next, Outcome, Progress, Reply, State, after_outcome, begun
from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy
from nas_drivers.transport import coa
from nas_drivers.transport.patience import Patience

# Long enough for a busy machine; an answer ends the wait.
WAITING = Patience(first_s=90, longest_s=90, sends=1, total_s=90, jitter=0)
# For silence that is expected: one send, one second.
SHORT = Patience(first_s=1, longest_s=1, sends=1, total_s=1, jitter=0)
# For what is lost on the way: what is not lost has two seconds after the third send.
AGAIN = Patience(first_s=0.5, longest_s=8, sends=8, total_s=20, jitter=0)


def always() -> bool:
    """A request may leave."""
    return True


@dataclass(frozen=True)
class Asker:
    """Where our sender stands and whom it asks."""

    place: Namespace
    target: coa.ChangeTarget
    packets: list[coa.PacketTrace] = field(default_factory=list)

    def ask(
        self,
        code: int,
        *attributes: Attribute,
        patience: Patience = WAITING,
        may_leave: Callable[[], bool] = always,
        epoch_s: Callable[[], float] | None = None,
    ) -> coa.Outcome:
        """One request, sent again as `patience` says; its packets are kept."""

        async def run() -> coa.Outcome:
            sender = coa.ChangeSender(patience=patience, **({"epoch_s": epoch_s} if epoch_s else {}))
            try:
                request = coa.ChangeRequest(code, attributes)
                return await sender.send(self.target, request, on_packet=self.packets.append, may_leave=may_leave)
            finally:
                await sender.close()

        return self.place.call(lambda: asyncio.run(run()))

    def deliver(
        self,
        driver: NasDriver,
        identity: SessionIdentity,
        policy: SessionPolicy | None,
        ladder: Sequence[Method],
        *,
        patience: Patience = WAITING,
        exchanges: Sequence[Callable[[], bool]] = (always,) * 8,
    ) -> list[Next]:
        """A change from its first exchange to its end, an acknowledgement or the last of `exchanges`, by our rules.

        Each of `exchanges` is asked right before each packet of it leaves. The pauses between them are not waited for.
        """
        progress = Progress(State.QUEUED, ladder[0])
        found: list[Next] = []
        for may_leave in exchanges:
            named = driver.identity_attributes(identity, detail=progress.identity_detail)
            asked = (40, named)
            if progress.method is Method.COA and policy is not None:
                asked = (43, named + driver.change_attributes(policy))
            outcome = self.ask(asked[0], *asked[1], patience=patience, may_leave=may_leave)
            found.append(after_outcome(begun(progress), _as_told(outcome), ladder, chance=0.5))
            progress = found[-1].progress
            if progress.state.closed or progress.state is State.ACKED:
                break
        return found


def _as_told(outcome: coa.Outcome) -> Outcome:
    match outcome:
        case coa.Acked():
            return Outcome(Reply.ACK, outcome.error_cause, sends=outcome.sends)
        case coa.Nacked():
            return Outcome(Reply.NAK, outcome.error_cause, sends=outcome.sends)
    return Outcome(Reply.NONE, sends=outcome.sends)
