"""What users fit, a folder or a file each."""
