"""Blockchain-powered, verifiable, private federated learning for medical AI: the reference implementation."""
