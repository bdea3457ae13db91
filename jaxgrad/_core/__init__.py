"""What every layer stands on: the vocabulary, trees with torch's names, and checks that speak torch's sentences."""
