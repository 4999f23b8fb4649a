"""All invariants of the books, recomputed over a whole database."""
