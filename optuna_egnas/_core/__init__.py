"""All decisions of a search, as pure functions of its history (standard library only)."""
