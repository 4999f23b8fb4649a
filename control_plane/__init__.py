"""The only package that knows both contracts and packets."""
