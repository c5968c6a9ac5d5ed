"""`doorbuster up`: the stack of a plan without a rehearsal, for people to look around in."""
