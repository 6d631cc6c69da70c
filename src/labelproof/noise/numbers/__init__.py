"""How numbers go wrong: the expected value of each, the spread of good ones around it, and the errors that people make."""
