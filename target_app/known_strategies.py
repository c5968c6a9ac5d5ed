"""The stock strategies that there are, right ones and wrong ones, by name.

Apart from what they do, so that whoever only asks does not load the shop.
"""

from target_app.descriptions import Description

OVERSELLS = ("no_oversell", "stock_conserved")

STRATEGIES: dict[str, Description] = {
    "conditional_update": Description(
        title="one UPDATE that carries its own condition (A1)",
        correct=True,
        why="the condition is evaluated again on the row's newest version once it is locked",
    ),
    "row_lock": Description(
        title="lock the stock rows in order, then decide (A2)",
        correct=True,
        why="whoever wants the same units waits, and reads the newest version once it is free",
    ),
    "unit_rows": Description(
        title="one row for each unit, passing over locked ones (A4)",
        correct=True,
        why="each unit is its own lock; nobody is refused before a second look, which waits",
    ),
    "buckets": Description(
        title="several rows for each SKU, tried at random, then all (A5)",
        correct=True,
        why="nobody is refused before all buckets of the SKU have been locked and counted",
    ),
    "redis_gate": Description(
        title="a counter in Redis turns buyers away, the stock row decides (A9)",
        correct=True,
        why="what the gate lets in is judged again by the conditional update",
        needs=("redis",),
    ),
    "naive": Description(
        title="read, check in the application, write the result (W1)",
        correct=False,
        why="two buyers read the same number and the second write undoes the first",
        seen_by=OVERSELLS,
    ),
    "blind_decrement": Description(
        title="check, then decrement blindly, without a constraint (W1b)",
        correct=False,
        why="the check is of another moment than the decrement; the counter goes below zero",
        seen_by=OVERSELLS,
    ),
    "cache_aside": Description(
        title="get the stock from a cache, compare, set (W4)",
        correct=False,
        why="nothing makes the three one step: two buyers get the same number",
        seen_by=OVERSELLS,
        needs=("redis",),
    ),
    "lock_lease": Description(
        title="read, check and write under a lock in Redis that runs out (W6)",
        correct=False,
        why="a holder paused for longer than the lease writes beside the next one",
        seen_by=OVERSELLS,
        needs=("redis",),
    ),
    "off_by_one": Description(
        title="sell while no more than there is has been sold (W8)",
        correct=False,
        why="the condition leaves out the order itself, so one unit too many is sold",
        seen_by=OVERSELLS,
    ),
    "redis_truth": Description(
        title="a counter in Redis decides, the stock row follows (W9)",
        correct=False,
        why="a Redis that comes back from an old snapshot sells again what it had sold since",
        seen_by=OVERSELLS,
        needs=("redis",),
    ),
    "absolute_overwrite": Description(
        title="set the stock every second to what it was a moment ago (W14)",
        correct=False,
        why="what was sold between the export and the import has never happened",
        seen_by=OVERSELLS,
    ),
    "skip_locked": Description(
        title="one row for each unit, and those that are locked count as sold (W17)",
        correct=False,
        why="whoever has them locked may roll back; who was sent away does not come again",
        seen_by=("no_lost_stock",),
    ),
    "redis_decrement": Description(
        title="count each click down in Redis, and never up again (W7)",
        correct=False,
        why="second clicks and refused ones use up units that nobody then can buy",
        seen_by=("no_lost_stock",),
        needs=("redis",),
    ),
}
