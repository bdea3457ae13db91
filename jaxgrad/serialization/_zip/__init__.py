"""The zip archive in the form that torch writes: entries stored as they are, each beginning at a multiple of 64."""
