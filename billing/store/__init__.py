"""What billing reads from and writes to the database: plain SQL, answers as frozen values. The caller owns the transaction."""
