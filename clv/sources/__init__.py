"""Where a company's tables lie, and how its own columns map to the contract's."""
