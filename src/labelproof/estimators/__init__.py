"""The estimators, a folder or a file each."""
