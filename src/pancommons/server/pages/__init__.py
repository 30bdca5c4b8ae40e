"""The pages of the portal, made on the server; every journey is complete without JavaScript."""
