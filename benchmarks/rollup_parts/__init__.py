"""What benchmarks.rollup is made of: its transactions, its chain, its conclusions."""
