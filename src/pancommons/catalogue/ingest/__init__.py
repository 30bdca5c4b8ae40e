"""From files and run folders to records: harvest by a declared mapping, and put into the catalogue once."""
