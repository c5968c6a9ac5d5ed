"""Who is let in when more come than can be served.

Without it everybody queues for the same few database connections. Once that queue is longer than
shoppers wait, every answer comes too late, every late answer is asked for again, and the shop
stays down at a load that it carries easily when it is not behind. So:

- A request is let in or turned away at the door, before any work, hence without a trace: 429
  `shed` with a Retry-After that is spread, or the crowd would come back in step.
- There is no queue at the door, and none before it: the server accepts whoever knocks (see
  `target_app.serving`). Whoever is let in gets served; the one queue there is, for database
  connections, is in order of arrival and kept short by letting fewer in.
- What counts is whether the queue *stands* (`standing.py`): a burst that is worked off again is
  what a queue is for and sheds nobody. While it stands, the limits shrink to what is being served
  and less; once it is gone they grow back within a second.
- Browsing yields first, then quotes and coupon claims, then checkout where the queue stands longer,
  and payment never for that reason: its order holds units that only the payment or the end of the
  hold sets free, and its second transaction books money. It has a limit of its own, since payments
  that wait for the provider hold no connection and must not keep anybody from buying.
- A database that does not answer is not an overload. Only waits in line that came to their end are
  counted, and in an outage hardly any do: it is told as 503, not dressed up as a correct refusal.
- Probes, the metrics and whoever runs the sale are never turned away.
"""
