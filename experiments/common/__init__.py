"""What all experiments share: their form, how they are found, compared, shown and recorded, and the data sets."""
