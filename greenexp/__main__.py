"""`python -m greenexp` is the `greenexp` command."""

from greenexp.cli.main import main

if __name__ == "__main__":
    main()
