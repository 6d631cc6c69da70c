"""The default tagger: a model that predicts the tag of each token out-of-sample."""
