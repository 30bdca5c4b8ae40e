"""The PaNOSC search API: reading its filters, compiling them to SQL, and the JSON it answers with."""
