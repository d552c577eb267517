"""Texts that no describer gave: each public function is a source, named in `enrich.source`."""
