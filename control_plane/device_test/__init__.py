"""`corrente nas test`: does one access device work with this installation, step by step, and if not, what to do."""
