"""What shows alerts: the list of the alert screen, the last ones beside the board, and toasts."""
