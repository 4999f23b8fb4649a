"""What customers are told: what a message is, when it may go, and its text from a template. Pure but for the templates' files."""
