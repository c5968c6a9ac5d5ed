"""The waiting room: who may check out, when more want to than the shop can serve.

- Who joins before T0 takes part in a draw; whoever comes later stands behind them, in order of
  arrival. A place follows from the ticket alone, so it outlives everything but the ticket.
- The line is in Redis and every replica reads and moves it by the same scripts, which are atomic:
  together they let in no more than the rate and the active cap, however many they are.
- A ticket whose turn it is gets an admission token. It is signed, holds for one buyer, one sale,
  one order and a lease. The order that it was good for is written with the order itself, so a token
  is spent exactly once whatever becomes of Redis.
- Who is no longer heard of loses the place, who does not check out within the lease as well.
- Without Redis nobody joins or moves up (503), and who has been admitted goes on buying. A Redis
  that has forgotten everything is told by the tickets, which return to their places.
"""
