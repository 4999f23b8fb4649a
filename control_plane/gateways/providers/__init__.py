"""One file a provider, found by its name; each ends with PROVIDER."""
