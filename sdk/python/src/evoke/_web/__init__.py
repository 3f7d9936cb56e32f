"""What HTTP functions are made of."""
