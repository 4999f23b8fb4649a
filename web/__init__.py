"""What staff, subscribers and machines reach over HTTP."""
