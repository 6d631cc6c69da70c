"""How numbers go wrong: what is expected of each, how far good ones stray from it, and the errors that people make."""
