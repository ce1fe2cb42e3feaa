"""``python -m stunnergw`` is the command ``stunnergw``."""

from stunnergw.cli import main

if __name__ == "__main__":
    main()
