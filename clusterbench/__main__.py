"""`python -m clusterbench` is the command `clusterbench`."""

from .cli.main import main

if __name__ == "__main__":
    main()
