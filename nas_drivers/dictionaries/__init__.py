"""FreeRADIUS's own dictionary files, read so that no attribute leaves with a name or a value that it would not take."""
