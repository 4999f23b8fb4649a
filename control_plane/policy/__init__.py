"""What an account is owed: from contract, plan, restrictions, relief and quota to a policy, and to records of the store."""
