"""Builds the embedded default: the demo clips and the tiny pretrained model. See README.md in this folder."""
