"""The real daemon under fire: servers, worlds, faults, cells. Run by ../fire."""
