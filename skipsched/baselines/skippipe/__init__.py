"""SkipPipe's path search as published (arXiv 2502.19913, gensyn-ai/skippipe): faithful rather than fast."""

from skipsched.baselines.skippipe.search import Found, search_paths

__all__ = ["Found", "search_paths"]
