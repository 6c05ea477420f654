"""The command line of skipsched: thin commands over the library."""
