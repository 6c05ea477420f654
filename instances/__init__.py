"""Topologies that come with skipsched; `README.md` lists them."""
