"""What the tests of trainings share: one thread."""

from trainings import one_thread

__all__ = ["one_thread"]
