"""Public names whose docstring still lacks a part; none does, and none may come."""

LACKING: list[str] = []
