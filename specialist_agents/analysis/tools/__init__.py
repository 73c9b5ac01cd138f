"""The five analysers, one module each, all with the same shape: sources in, remarks out."""
