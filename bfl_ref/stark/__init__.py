"""The proof system: a zero-knowledge STARK over BabyBear. docs/proof-format.md fixes protocol and bytes."""
