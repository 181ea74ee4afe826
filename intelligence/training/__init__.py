"""A small language model, trained on our own sentences: pairs, pieces, the decoder, the file that Ollama reads."""
