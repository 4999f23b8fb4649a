"""One file a tax authority, or whoever stands between it and us: each has a PROVIDER. They never import each other."""
