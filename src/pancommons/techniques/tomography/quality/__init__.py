"""How good a slice is: against a truth, and by what its halves have in common."""
