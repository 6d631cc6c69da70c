"""The default tagger: a model of the tag of each token, out of sample."""
