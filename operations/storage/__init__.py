"""How much space the history takes, how it grows, what costs most, and whether what should expire does."""
