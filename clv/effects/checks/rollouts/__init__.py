"""Gates of a roll-out's estimate, a file each: each looks at one way in which it could be wrong."""
