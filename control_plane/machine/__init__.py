"""All of Corrente on one machine, as `corrente up` runs it: processes, private PostgreSQL, screen and demo ISP."""
