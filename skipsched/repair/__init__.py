"""A new schedule after nodes left or came, or figures changed: what can be is kept, the rest reported."""
