"""The queue table."""

from __future__ import annotations

from django.db import models


class Job(models.Model):
    """A piece of work. A worker owns it only while its lease runs; then another may take it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=120, default="")
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    priority = models.SmallIntegerField(default=0)
    """Higher runs first."""
    owner = models.BigIntegerField(default=0)
    """The organisation that it is done for: within a priority each has its share. 0: nobody, and it goes ahead."""
    cost = models.BigIntegerField(default=0)
    """How much work it is thought to be, in bytes to read."""
    turn = models.BigIntegerField(default=0)
    """Its place within its priority (`shares`)."""
    run_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=80, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    deaths = models.PositiveSmallIntegerField(default=0)
    """Attempts that ended without a word: their worker was killed, or fell over."""
    attempts_allowed = models.PositiveSmallIntegerField(default=5)
    error = models.TextField(default="")
    done_units = models.BigIntegerField(default=0)
    total_units = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        # One index alone: with another that begins with the state, planners sort all that waits for each claim.
        indexes = [models.Index(fields=["state", "-priority", "turn", "run_at", "id"], name="job_turns")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=models.Q(state__in=["waiting", "running"]) & ~models.Q(subject=""),
                name="job_one_open_per_subject",
            )
        ]


class Share(models.Model):
    """How far the work of one owner has come within a priority; of owner 0, how far the queue has."""

    owner = models.BigIntegerField()
    priority = models.SmallIntegerField()
    turn = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "priority"], name="share_once")]
