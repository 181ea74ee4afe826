"""From intents to changed documents: one module for each family of intents, on a draft of the mesh."""
