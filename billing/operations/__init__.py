"""What is done to contracts and money: rules asked, rows written, in the caller's transaction. Runs do it for many."""
