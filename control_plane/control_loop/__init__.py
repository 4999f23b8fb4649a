"""The control loop: what every live session should have, what it has, and the change that makes them equal, proven."""
