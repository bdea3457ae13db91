"""The two sides of a comparison; each starts runs, and a run makes one recorded step after another."""
