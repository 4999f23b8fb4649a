"""What payment gateways tell and what follows from it, whoever they are."""
