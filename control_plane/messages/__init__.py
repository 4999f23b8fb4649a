"""Messages leave and come back: the channels, one file each, who sends the queue, who reads the mailbox."""
