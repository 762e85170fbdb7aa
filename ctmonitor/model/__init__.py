"""Values that flow through the program: frozen, without I/O."""
