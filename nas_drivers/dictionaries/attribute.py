"""One attribute of a dictionary: its number, data type, flags and enumerated values.

Next: canonical.py, which checks a value against it
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

# RFC 2865 section 5: one octet of length counts itself and the type.
MAX_VALUE_OCTETS: Final = 253
# RFC 2868 section 3.1: a tag of 0x1f at most; 0 means untagged.
MAX_TAG: Final = 0x1F
# RFC 2865 section 5.26: the vendor number.
VENDOR_NUMBER_OCTETS: Final = 4


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor and how it writes its attributes: octets of type, octets of length, and whether one may be continued."""

    name: str
    number: int
    type_octets: int = 1
    length_octets: int = 1
    continued: bool = False


@dataclass(frozen=True, slots=True)
class AttributeType:
    """What a dictionary says of one attribute.

    `path` is its number, with those of the attributes it stands in before it: (8,) for Framed-IP-Address, (241, 1) for
    an extended one, (1, 2) for a part of a vendor's TLV. `kind` is FreeRADIUS's word for the data type. `tag` is set
    when it was asked for by a tagged name (`Tunnel-Type:1`). `values` has the enumerated names in lower case, `printed`
    how FreeRADIUS writes each number.
    """

    name: str
    path: tuple[int, ...]
    kind: str
    vendor: Vendor | None = None
    tagged: bool = False
    encrypted: int = 0
    concatenated: bool = False
    virtual: bool = False
    fixed_octets: int = 0
    values: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    printed: dict[int, str] = field(default_factory=dict, compare=False, repr=False)
    tag: int | None = None

    @property
    def number(self) -> int:
        """The attribute's own number, in its vendor's space when it has a vendor."""
        return self.path[-1]

    @property
    def on_wire(self) -> bool:
        """False for what exists only inside the server: numbers over 255 without a vendor, and virtual attributes."""
        return not self.virtual and (self.vendor is not None or self.path[0] <= 255)

    @property
    def max_octets(self) -> int:
        """How many octets of text or data fit into one attribute of this kind.

        Source: RFC 2865 sections 5.2 and 5.26, RFC 2868 section 3.5; FreeRADIUS 3.2.1 cuts off what is longer without
        a word (seen: 253 octets into Mikrotik-Rate-Limit arrived as 247).
        """
        room = MAX_VALUE_OCTETS
        if self.vendor is not None:
            room -= VENDOR_NUMBER_OCTETS + self.vendor.type_octets + self.vendor.length_octets + self.vendor.continued
        room -= len(self.path) * 2 - 2 + self.tagged
        limits = {1: 128, 2: (room - 2) // 16 * 16 - 1, 3: 16}
        return min(room, limits.get(self.encrypted, room))

    def with_tag(self, tag: int) -> AttributeType:
        """The same attribute under a tag."""
        return replace(self, tag=tag)
