"""One module for each group of commands. Heavy imports stay inside the functions, so that help comes at once."""
