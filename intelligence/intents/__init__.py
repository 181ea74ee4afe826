"""From a sentence to typed changes: words, intents, and the documents that they would change. Pure but for the LLM."""
