"""`hearthflux report`: one page that needs no network, of a home's flows, storage, summaries, quality and health."""
