"""The catalogue as an OAI-PMH 2.0 provider: `answer` turns the arguments of a request into its XML.

Source: The Open Archives Initiative Protocol for Metadata Harvesting 2.0 (2015-01-08).
"""

from pancommons.catalogue.oai.answers import Answer, answer

__all__ = ["Answer", "answer"]
