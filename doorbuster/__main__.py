"""`python -m doorbuster` is the `doorbuster` command."""

from doorbuster.cli import main

if __name__ == "__main__":
    main()
