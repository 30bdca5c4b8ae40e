"""A dataset's description in the words of harvesters: DataCite, Dublin Core, OpenAIRE, schema.org, DCAT.

All start from one `Description`, which holds only what everybody may see.
"""
