"""Networks as ordinary models of one framework, in folders that open without Allotrope."""
