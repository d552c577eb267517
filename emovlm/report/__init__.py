"""Run and study folders -> the terminal table and one self-contained page. Needs no GPU, no model and no torch."""
