"""The uniform model: a pipeline is declared once, a run is a folder, work is a map over units then a combine."""
