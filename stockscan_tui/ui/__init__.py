"""The full-screen interface: it reads snapshots and draws."""
