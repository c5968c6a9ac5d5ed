"""Remove what is left of a run at the engine: `python -m doorbuster.stack.containers RUN_ID`."""

import sys

from doorbuster.errors import DoorbusterError
from doorbuster.stack.containers.left import remove_left_containers


def main() -> None:
    (run_id,) = sys.argv[1:]
    try:
        remove_left_containers(run_id)
    except DoorbusterError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
