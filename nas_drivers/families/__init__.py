"""What several vendor files share, or one is too long with: families of devices, their command lines, lists and setups."""
