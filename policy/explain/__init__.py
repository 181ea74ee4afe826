"""What a request would meet, told from the documents: never from what they compile to, so each can check the other."""
