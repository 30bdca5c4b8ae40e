"""People and runs: a queue that is fair, starters, results registered in the catalogue."""
