"""What a run leaves behind: the volume in its formats, the figures of the report."""
