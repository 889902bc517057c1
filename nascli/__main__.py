"""`python -m nascli` is the `nascli` command."""

from nascli.cli import main

if __name__ == "__main__":
    main()
