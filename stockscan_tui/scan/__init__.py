"""What is looked for in the market: lists, gates, filters, watchlists. It knows `market` only."""
