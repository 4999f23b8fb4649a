"""Pages of staff: one module a noun, each with its blueprint `pages` and its menu's `ENTRIES`."""
