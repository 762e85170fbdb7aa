"""The commands, one module each; `assemble` alone turns settings into objects."""
