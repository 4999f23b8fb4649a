"""Words of the network for people: why a login was refused, how a NAS stands, why a session is in drift, what somebody did.

Next: home.py
"""

from __future__ import annotations

from typing import Any, Final

from control_plane.nas_standing import Standing
from control_plane.store.drift import DriftReason
from radius_hooks.decision import AcceptReason, RejectReason
from web.language import lazy

REASONS: Final[dict[str, Any]] = {
    RejectReason.UNKNOWN_ACCOUNT: lazy("No such username"),
    RejectReason.BAD_USERNAME: lazy("Username that can't be one"),
    RejectReason.WRONG_PASSWORD: lazy("Wrong password"),
    RejectReason.NO_CREDENTIALS: lazy("No password sent"),
    RejectReason.UNUSABLE_SECRET: lazy("Stored password can't be compared this way"),
    RejectReason.WRONG_NAS: lazy("From a NAS it is not bound to"),
    RejectReason.WRONG_REALM: lazy("Realm not served by this NAS"),
    RejectReason.WRONG_MAC: lazy("From another MAC address"),
    RejectReason.WRONG_CIRCUIT: lazy("From another access line"),
    RejectReason.CHECK_ITEM: lazy("A check of the account failed"),
    RejectReason.ACCOUNT_EXPIRED: lazy("Account expired"),
    RejectReason.NOT_IN_SERVICE: lazy("Contract not in service"),
    RejectReason.BLOCKED: lazy("Blocked"),
    RejectReason.TOO_MANY_SESSIONS: lazy("Too many sessions at once"),
    AcceptReason.FULL: lazy("Full service"),
    AcceptReason.THROTTLED: lazy("Throttled"),
    AcceptReason.WALLED_GARDEN: lazy("Walled garden"),
    AcceptReason.QUOTA_USED_UP: lazy("Quota used up"),
}
LEVELS: Final[dict[str, Any]] = {
    "full": lazy("Full service"),
    "throttle": lazy("Throttled"),
    "walled": lazy("Walled garden"),
    "blocked": lazy("Blocked"),
    "none": lazy("No service"),
}
LEVEL_TONES: Final = {"full": "good", "throttle": "warn", "walled": "warn", "blocked": "bad", "none": "bad"}
STANDINGS: Final[dict[Standing, tuple[Any, str]]] = {
    Standing.DOWN: (lazy("Down"), "bad"),
    Standing.DEAF: (lazy("Answers no changes"), "warn"),
    Standing.MAINTENANCE: (lazy("In maintenance"), "busy"),
    Standing.UP: (lazy("Up"), "good"),
    Standing.EMPTY: (lazy("Nobody online"), "calm"),
    Standing.UNHEARD: (lazy("Never heard"), "calm"),
    Standing.OFF: (lazy("Switched off"), "calm"),
}
DRIFT: Final[dict[str, Any]] = {
    DriftReason.MUST_END.value: lazy("Must end"),
    DriftReason.OTHER_POLICY.value: lazy("Other policy"),
    DriftReason.IN_DOUBT.value: lazy("In doubt"),
    DriftReason.UNVERIFIED.value: lazy("Not verified"),
    DriftReason.UNKNOWN.value: lazy("Unknown to us"),
}
# By what the audit log calls them: those of control_plane/store/happenings.py.
DEEDS: Final[dict[str, Any]] = {
    "nas.add": lazy("Added a NAS"),
    "nas.set": lazy("Changed a NAS"),
    "nas.enable": lazy("Switched a NAS on"),
    "nas.disable": lazy("Switched a NAS off"),
    "nas.host_key": lazy("Trusted a host key"),
    "nas.reveal_secret": lazy("Looked at a NAS secret"),
    "nas.maintenance_on": lazy("Began maintenance"),
    "nas.maintenance_off": lazy("Ended maintenance"),
    "network.stop": lazy("Stopped all changes"),
    "network.resume": lazy("Let changes go on"),
    "guard.release": lazy("Let go what the guard held"),
    "guard.exempt": lazy("Exempted a contract"),
    "guard.unexempt": lazy("Ended an exemption"),
    "session.cut": lazy("Ended a session of nobody"),
    "session.disconnect": lazy("Disconnected sessions"),
    "session.reapply": lazy("Had the policy applied again"),
    "session.close_ghosts": lazy("Closed sessions that the device does not have"),
    "session.believe_device": lazy("Believed a device"),
    "enforcement.retry": lazy("Had a change tried again"),
    "profile.add": lazy("Added a profile"),
    "profile.set": lazy("Changed a profile"),
    "node.release": lazy("Freed a node name"),
    "unreadable.retry": lazy("Had records merged again"),
    "automation_run.undo": lazy("Took a run back"),
}
HAPPENINGS: Final[dict[str, tuple[Any, str]]] = {
    "deed": (lazy("A deed"), "busy"),
    "nas_silent": (lazy("Answers no changes"), "warn"),
    "nas_booted": (lazy("Restarted"), "warn"),
    "guard_tripped": (lazy("The guard tripped"), "bad"),
    "alarm": (lazy("Changes need a person"), "bad"),
    "job_failed": (lazy("A job failed"), "bad"),
    "unreadable": (lazy("Records without effect"), "warn"),
}
