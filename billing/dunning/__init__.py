"""What is asked of who owes, when a line is limited for it, and when it is let go: rules that open nothing and read no clock."""
