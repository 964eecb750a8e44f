"""`hearthflux demo`: a real home's five months, from the data set to the report."""
