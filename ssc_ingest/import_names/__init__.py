"""Import names of packages: the names by which programs import them."""
