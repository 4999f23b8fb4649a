"""How VRP reads the rates it is sent: NetEngine 8000 F1A, attributes 2, 3, 5, 6, "in bit/s"; PIR needs CIR beside it."""

from __future__ import annotations

from support.shaping import Shaping, Words


def read_shaping(words: Words) -> Shaping | None:
    """Input is upstream. What passes is the peak, so a peak that lags behind the average is a fault."""
    said = dict(words)
    rates = [said.get(f"Huawei-{way}-{kind}-Rate") for way in ("Input", "Output") for kind in ("Average", "Peak")]
    if rates == [None] * 4:
        return None
    up_cir, up_pir, down_cir, down_pir = (int(rate) for rate in rates if rate is not None)
    assert (up_cir, down_cir) == (up_pir, down_pir)
    assert max(up_pir, down_pir) < 2**32
    return Shaping(down_pir, up_pir)
