"""`hearthflux query`: the reader's answers as a table, JSON, CSV or a plot."""
