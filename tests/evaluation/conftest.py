"""What the tests of trainings share: one thread."""

from small_trainings import one_thread

__all__ = ["one_thread"]
