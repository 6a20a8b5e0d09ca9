"""Lake: Parquet tables with a ledger; readers see only what the ledger lists."""
