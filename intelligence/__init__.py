"""Proposes, never applies: intents from sentences. Forecasts, anomalies and healing come later."""
