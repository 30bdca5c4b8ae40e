"""``python -m pancommons`` is ``pan``."""

from pancommons.cli import main

main()
