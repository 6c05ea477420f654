"""Reading what a person wrote, and telling them what is wrong with it."""
