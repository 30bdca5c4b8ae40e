"""``python -m pancommons.cli`` is ``pan``."""

from pancommons.cli import main

main()
