"""Worker processes: what one knows of itself, what it does, how the main process has many.

``packing`` is how a batch crosses from one to the other.
"""
