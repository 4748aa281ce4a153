"""The full-screen interface: it reads snapshots and draws."""

import os

# Textual reads this when it is imported; its own 100 ms make Esc feel slow.
os.environ.setdefault("ESCDELAY", "25")
