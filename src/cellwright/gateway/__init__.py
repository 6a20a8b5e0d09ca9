"""Gateway: OpenAI-compatible, policy-routed, metered inference."""
