"""Random lines of documents, and what the authority says of the figures printed from them: a checker with no code of ours."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from hypothesis import strategies as st

from billing.totals import Liability, LineDraft, TaxTreatment, Totals

CENT = Decimal("0.01")
VAT = {rate: TaxTreatment(f"vat{rate}", Decimal(rate)) for rate in ("0", "4", "10", "22", "12.5")}
EXEMPT = TaxTreatment("exempt", Decimal(0), "N4", "art. 10 DPR 633/72", bears_stamp=True)
# Another law of the same nature: a block of its own.
TRAINING = TaxTreatment("training", Decimal(0), "N4", "art. 10 n. 20 DPR 633/72")
EXCLUDED = TaxTreatment("excluded", Decimal(0), "N1", "art. 15 DPR 633/72", bears_stamp=True)
SPLIT = TaxTreatment("split22", Decimal(22), liability=Liability.SPLIT)

PRICES = st.decimals("-5000", "5000", places=8) | st.decimals("-99999", "99999", places=2)
QUANTITIES = st.decimals("0.01", "1000", places=2) | st.integers(1, 99).map(Decimal)


@st.composite
def drafts(draw: st.DrawFn, prices: st.SearchStrategy[Decimal] = PRICES) -> LineDraft:
    """A line of any quantity, price and discounts, taxed in any way."""
    return LineDraft(
        "Home 100",
        draw(QUANTITIES),
        draw(prices),
        draw(st.sampled_from([*VAT.values(), EXEMPT, TRAINING, EXCLUDED, SPLIT])),
        discounts=tuple(draw(st.lists(st.decimals("0", "100", places=2), max_size=3))),
    )


def half_up(value: Decimal) -> Decimal:
    """To the cent, a half away from zero."""
    return value.quantize(CENT, ROUND_HALF_UP)


def authority_errors(totals: Totals) -> list[str]:
    """What the exchange system's controls say of the printed figures, with none of the tolerances they have."""
    errors = []
    with localcontext(Context(prec=60)):
        for line in totals.lines:
            if half_up((line.unit_price - line.discount) * line.quantity) != line.net.amount:
                errors.append(f"00423: {line.unit_price} - {line.discount} times {line.quantity} is not {line.net}")
        for group in totals.groups:
            one = group.treatment
            alike = [
                line.net.amount
                for line in totals.lines
                if (
                    line.treatment.rate,
                    line.treatment.nature,
                    line.treatment.legal_reference,
                    line.treatment.liability,
                )
                == (one.rate, one.nature, one.legal_reference, one.liability)
            ]
            if sum(alike) != group.base.amount:
                errors.append(f"00422: {alike} are not {group.base}")
            if abs(half_up(group.base.amount * one.rate / 100) - group.tax.amount) > CENT:
                errors.append(f"00421: {one.rate} percent of {group.base} is not {group.tax}")
            if one.nature is not None and group.tax:
                errors.append(f"nature {one.nature} bears {group.tax}")
        if any(-place.as_tuple().exponent > 8 for line in totals.lines for place in (line.unit_price, line.discount)):
            errors.append("00200: a price of more than 8 decimals")
        split = sum(group.tax.amount for group in totals.groups if group.treatment.liability is Liability.SPLIT)
        if totals.gross.amount - split != totals.payable.amount:
            errors.append("what is paid to the state is not what the customer does not pay")
        if sum(line.net.amount for line in totals.lines) != totals.net.amount:
            errors.append("BR-CO-10: the lines are not the net")
        if sum(group.tax.amount for group in totals.groups) != totals.tax.amount:
            errors.append("BR-CO-14: the groups' tax is not the tax")
        if totals.net.amount + totals.tax.amount != totals.gross.amount:
            errors.append("BR-CO-15: net and tax are not the gross")
    return errors
