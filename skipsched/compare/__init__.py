"""skipsched beside the baselines, and what each of its freedoms is worth."""
