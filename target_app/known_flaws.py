"""The flaws other than stock strategies that can be planted, by id.

Apart from what they do, so that whoever only asks does not load the shop.
"""

from collections.abc import Set

from target_app.descriptions import Description

ERRORS = "errors"
"""Not a check: what breaks no promise is seen by a budget of errors alone."""


def _flaw(
    title: str,
    why: str,
    *seen_by: str,
    needs: tuple[str, ...] = (),
    replaces: Set[str] = frozenset(),
) -> Description:
    return Description(
        title=title,
        correct=False,
        why=why,
        seen_by=seen_by,
        needs=needs,
        replaces=frozenset(replaces),
    )


FLAWS: dict[str, Description] = {
    "W2": _flaw(
        "check the stock at checkout, take it at payment",
        "whoever orders before the first one pays finds the last unit there",
        "no_oversell",
        "stock_conserved",
        replaces={"reserve", "claim", "release", "retake"},
    ),
    "W3": _flaw(
        "reserve in a job, after the order was committed",
        "until the job comes round, the same units are promised to everybody who asks",
        "no_oversell",
        "stock_conserved",
        replaces={"check_out"},
    ),
    "W5": _flaw(
        "read the stock on the standby, take it on the primary",
        "the standby shows units for a while that are gone",
        "no_oversell",
        "stock_conserved",
        needs=("standby",),
        replaces={"check_out"},
    ),
    "W12": _flaw(
        "ignore the idempotency key of a checkout",
        "a client that repeats an unanswered request gets a second order",
        "one_order_per_key",
        replaces={"check_out"},
    ),
    "W13": _flaw(
        "give the units of an ended hold back twice",
        "the clean-up of old holds does not ask whether their units were freed before",
        "stock_conserved",
    ),
    "W15": _flaw(
        "take the SKUs of an order one by one, each for itself",
        "the first ones are taken also where a later one is sold out, for no order at all",
        "stock_conserved",
        "no_lost_stock",
        replaces={"reserve"},
    ),
    "W15b": _flaw(
        "take the SKUs of an order in no order, all in its transaction",
        "two buyers of the same two SKUs wait for each other until the database ends one of them",
        ERRORS,
        replaces={"reserve"},
    ),
    "W16": _flaw(
        "never give the units of an unpaid order back",
        "holds end in the books only, and the shop is sold out while units are left",
        "stock_conserved",
        "no_lost_stock",
        replaces={"release"},
    ),
    "W18": _flaw(
        "look up what a buyer has, compare, count afterwards",
        "two orders of one buyer at once both find that they have had nothing yet",
        "limits_held",
        replaces={"check_out"},
    ),
    "W19": _flaw(
        "accept money for a hold that has ended",
        "the order becomes paid although its units went back on sale",
        "stock_conserved",
        replaces={"book_capture"},
    ),
    "P1": _flaw(
        "a new provider key for each try to charge",
        "silence is taken for a no, and the provider cannot tell the retry from a new charge",
        "no_double_charge",
        replaces={"charge", "book_capture"},
    ),
    "P2": _flaw(
        "write the order when its buyer comes back from paying",
        "who does not come back was charged for an order that nobody has heard of",
        "no_orphan_charge",
        replaces={"pay"},
    ),
    "P3": _flaw(
        "let holds end while a payment is under way",
        "the charge succeeds for an order that is gone, and is not given back",
        "no_orphan_charge",
        replaces={"expire_one", "book_capture"},
    ),
    "P4": _flaw(
        "call an order paid before the provider has said so",
        "a declined card buys the goods all the same",
        "no_orphan_charge",
        replaces={"charge"},
    ),
    "P5": _flaw(
        "wait for the provider's webhook, and never ask",
        "where the message is lost the order stays in between for ever",
        "no_stuck_order",
    ),
    "P7": _flaw(
        "act on every webhook as if it were the first",
        "the units of one order are counted as sold once more with each event",
        "stock_conserved",
        replaces={"accept"},
    ),
    "P8": _flaw(
        "write the state an event names, whatever the order's state is",
        "events come late and out of order: paid after refunded gives goods away",
        "no_orphan_charge",
        replaces={"accept"},
    ),
    "P9": _flaw(
        "let reply and webhook both create the paid order",
        "where the webhook is first, one purchase becomes two orders",
        "one_order_per_key",
        replaces={"accept"},
    ),
    "P10": _flaw(
        "charge first, look for the units afterwards",
        "who comes too late has paid, has no order, and the money is kept",
        "no_orphan_charge",
        replaces={"book_capture", "reserve", "claim", "release"},
    ),
}
