"""The science, a package for each technique, found through entry points and imported by nobody."""
