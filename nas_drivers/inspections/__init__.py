"""One file a vendor: what of its device's configuration lets subscribers past RADIUS, and how its clock is read and set."""
