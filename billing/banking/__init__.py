"""Files of banks: how they are read, which lines are the same, whose money it is, what came back."""
