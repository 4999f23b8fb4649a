-- Staff set a price of the same day anew in the console, in the place of the one there was.
GRANT DELETE ON price TO corrente_console;
