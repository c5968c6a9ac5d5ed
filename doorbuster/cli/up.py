"""`doorbuster up`: the stack of a plan without a rehearsal, for people to look around in."""

import time
from contextlib import closing

from doorbuster.cli.acting import act
