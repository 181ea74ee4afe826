"""What is worth a look in a mesh that is valid: each finding with its document, and what to do about it."""
