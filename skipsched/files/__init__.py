"""JSON documents that the program writes and reads back: written whole or not at all, read without trust."""
