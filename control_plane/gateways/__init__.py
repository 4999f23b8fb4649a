"""Payment gateways: how each provider is spoken to, and the work that keeps the books equal to what they say."""
