"""What the database tells of a session date: how whole it is, and why a symbol has few bars."""
