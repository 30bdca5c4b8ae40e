"""The ontology of experimental techniques: reading it, what lies beneath what, searching with it."""
