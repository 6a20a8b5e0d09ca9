"""What each request was, took and cost: rows, sums, histograms, and the names others know them by."""
