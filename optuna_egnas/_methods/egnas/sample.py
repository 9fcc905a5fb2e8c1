"""Times a few networks of a space on this device, by a few batches of each."""

from __future__ import annotations

from .architecture import Architecture
from .bounds import MacroBounds, widest_chain


def sample(space: MacroBounds) -> list[Architecture]:
    """Networks to be timed: shallow and deeper, narrow and wide, with each kind of layer."""
    first = widest_chain(space, space.min_depth)
    assert first is not None, "a space in which nothing fits is refused at birth"
    shallow, deeper = first.depth, min(space.max_depth, 2 * first.depth)
    middle = (first.width + space.min_width) // 2
    networks = (
        first,
        Architecture.chain(depth=deeper, width=middle),
        Architecture.chain(depth=shallow, width=space.min_width),
        Architecture.chain(depth=deeper, width=space.min_width),
        Architecture.chain(depth=shallow, width=space.min_width, op="conv"),
        Architecture.chain(depth=shallow, width=middle, kernel=5),
    )
    return list(dict.fromkeys(networks))
