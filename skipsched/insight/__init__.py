"""What a schedule's figures are made of, and what becomes of it when things change."""
