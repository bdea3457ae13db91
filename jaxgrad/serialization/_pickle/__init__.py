"""The pickles inside of torch's files, read by a machine that executes nothing and written by hand."""
