"""The contract and the database: shown, recorded, compared, and brought from one version to the next."""
