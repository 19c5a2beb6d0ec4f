"""What supervised countries hand over: no standing order lets it go, two people look at each of it (DOMAIN 2.1)."""

from __future__ import annotations

from .models import Batch, Delivery
from .services import came_supervised


def waits(delivery: Delivery) -> bool:
    """Whether it came in while its country was supervised and is not released since."""
    if not came_supervised(delivery):
        return False
    held = Batch.objects.filter(delivery=delivery, terms__audience__entries__isnull=True)
    return delivery.state == Delivery.State.RECEIVED or held.exists()
