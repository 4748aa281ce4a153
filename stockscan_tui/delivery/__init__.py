"""How alerts reach the trader: on the screen, by ear, on the desktop, by programs and webhooks.

Each firing is saved before; every limit here concerns delivery alone.
"""

from stockscan_tui.delivery.courier import Courier
from stockscan_tui.delivery.desktop import desktop_sequence
from stockscan_tui.delivery.notice import Kind, Notice
from stockscan_tui.delivery.tally import ChannelStatus

__all__ = ["ChannelStatus", "Courier", "Kind", "Notice", "desktop_sequence"]
