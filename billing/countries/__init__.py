"""What each country gives a new issuer: a data file a country, named by its ISO 3166 code."""
