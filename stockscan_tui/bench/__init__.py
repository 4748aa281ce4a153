"""What stockscan does in a second on this machine, each figure beside what else could do it.

Every figure has peers that do the same work in the same run, and says whether both sides came to
the same result. This is the one place outside of feed, store and ui that knows databento, DuckDB
and Textual by themselves: the peers are made of them.
"""
